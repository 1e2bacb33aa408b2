"""A loader's workers do without shared memory where there is too little of it, instead of hanging."""

import shutil
import subprocess
import sys

import pytest
import torch

from lfb_lightning.lightning.datamodules.loader_workers import free_bytes, has_room, useful_workers
from lfb_lightning.processes import usable_cores
from tests.cli.test_extraction import can_mount


@pytest.mark.parametrize(
    ("megabytes", "free", "senders", "expected"),
    [
        (8, 64, 4, True),  # four workers, two batches each: exactly 64
        (8.1, 64, 4, False),
        (0.03, 64, 1000, True),
        (8, 64, 5, False),
        (0, 0, 8, True),  # an empty tensor needs none
    ],
)
def test_room_is_two_batches_a_worker(megabytes, free, senders, expected):
    assert has_room(round(megabytes * 1e6), round(free * 1e6), senders=senders) is expected


@pytest.mark.parametrize(
    ("most", "cores", "ranks", "videos", "gpu", "expected"),
    [
        (4, 16, 1, None, False, 4),
        (4, 2, 1, None, False, 2),  # no more than cores
        (4, 16, 8, None, True, 2),  # of which each rank has its share
        (4, 4, 8, None, True, 1),  # and one worker at least
        (0, 16, 1, None, True, 0),
        (4, 16, 1, 3, False, 3),  # no more than videos
        (4, 2, 1, 3, False, 2),
        (4, 16, 1, 1, False, 0),  # the forward pass has the cores
        (4, 16, 1, 1, True, 1),  # which a GPU leaves alone
        (4, 16, 1, 0, False, 0),
        (4, 16, 1, 0, True, 0),
        (0, 16, 1, 1, True, 0),
    ],
)
def test_more_workers_than_cores_or_videos_are_never_started(monkeypatch, most, cores, ranks, videos, gpu, expected):
    monkeypatch.setattr("lfb_lightning.lightning.datamodules.loader_workers.usable_cores", lambda: cores)
    assert useful_workers(most, ranks_here=ranks, videos=videos, beside_gpu=gpu) == expected


@pytest.mark.parametrize(("quota", "expected"), [(None, 6), (1.5, 1), (0.5, 1), (4.0, 4), (64.0, 6)])
def test_usable_cores_are_those_of_affinity_and_quota(monkeypatch, quota, expected):
    monkeypatch.setattr("os.sched_getaffinity", lambda process: set(range(6)), raising=False)
    monkeypatch.setattr("lfb_lightning.processes.cgroup_cores", lambda groups: quota)
    assert usable_cores() == expected


def test_free_bytes_are_those_of_the_mount(monkeypatch, tmp_path):
    assert free_bytes() > 0
    monkeypatch.setattr("lfb_lightning.lightning.datamodules.loader_workers._MOUNT", str(tmp_path / "no_mount"))
    assert free_bytes() > 1e18


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("unshare") is None or not can_mount(), reason="needs the right to mount")
def test_a_run_with_a_megabyte_of_shared_memory_says_so_and_ends_as_any_other(pipeline, tmp_path):
    where = ["fbo=none", "trainer.max_epochs=1", "data.num_workers=2", f"hydra.run.dir={tmp_path}"]
    command = [sys.executable, "-m", "lfb_lightning.cli", "train", *pipeline.overrides[:-1], *where]
    mounted = ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=1m none /dev/shm && "$@"', "sh", *command]
    done = subprocess.run(mounted, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "too little for the batches of 2 workers: they come through pipes" in done.stdout
    assert "docker run --shm-size" in done.stdout
    weights = [
        torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for run in (tmp_path, pipeline.run_dir)
    ]
    assert all(torch.equal(weights[0][name], value) for name, value in weights[1].items())
