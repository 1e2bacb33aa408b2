"""`scripts/train.slurm` with stand-ins for SLURM's two commands: real ranks, a real signal, a requeue, the same end."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
import torch

from tests.conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
_PATIENCE = 300  # seconds; a busy machine took more than 90 for a start that takes 15 alone

# What srun does for us: start the tasks with the variables by which Lightning knows them; the highest status is its own.
SRUN = """#!/usr/bin/env bash
[ "$1" = --kill-on-bad-exit=1 ] && shift
pids=()
for task in $(seq 0 $((SLURM_NTASKS - 1))); do
  SLURM_PROCID=$task SLURM_LOCALID=$task SLURM_NODEID=0 "$@" & pids+=($!)
done
printf '%s\\n' "${pids[@]}" > tasks.pid
worst=0
for pid in "${pids[@]}"; do wait "$pid"; got=$?; [ "$got" -gt "$worst" ] && worst=$got; done
exit "$worst"
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.fixture
def cluster(tmp_path):
    """The environment of a job of two tasks on this machine."""
    commands = {
        "srun": SRUN,
        "scontrol": '#!/usr/bin/env bash\necho "$@" >> requeued\n',
        "lfb-train": f'#!/usr/bin/env bash\nexec {sys.executable} -m lfb_lightning.cli.train "$@"\n',
    }
    for name, text in commands.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    variables = {"JOB_ID": "77", "JOB_NAME": "lfb-train", "NTASKS": "2", "NTASKS_PER_NODE": "2", "JOB_NUM_NODES": "1"}
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        **{f"SLURM_{name}": value for name, value in variables.items()},
        "SLURM_NNODES": "1",
        "SLURM_NODELIST": "localhost",
        "MASTER_ADDR": "127.0.0.1",
    }


def submit(overrides, environment, folder):
    return subprocess.Popen(
        ["bash", str(ROOT / "scripts" / "train.slurm"), *overrides],
        cwd=folder,
        env={**environment, "MASTER_PORT": free_port()},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def checkpoint(folder):
    return torch.load(folder / "runs/train/slurm_77/checkpoints/last.ckpt", weights_only=True)


@pytest.mark.thorough  # tests/lightning/test_resuming.py stops one process, test_distributed.py trains with two
def test_signal_saves_on_all_ranks_requeues_and_goes_on_to_the_same_end(pipeline, cluster, tmp_path):
    overrides = [*pipeline.overrides, "fbo=max", "trainer.accelerator=cpu", "trainer.max_epochs=3", "data.batch_size=2"]
    overrides += ["data.last_second=910"]
    overrides += ["callbacks.last.every_n_steps=7", "callbacks=ema", "callbacks.ema.decay=0.9"]
    undisturbed = submit(overrides, cluster, tmp_path)
    output = undisturbed.communicate(timeout=_PATIENCE)[0]
    assert undisturbed.returncode == 0, output[-4000:]
    expected = checkpoint(tmp_path)
    shutil.rmtree(tmp_path / "runs")
    job = submit(overrides, cluster, tmp_path)
    until = time.monotonic() + _PATIENCE
    while not (tmp_path / "runs/train/slurm_77/checkpoints/last.ckpt").is_file():
        assert job.poll() is None, job.stdout.read()[-4000:]
        assert time.monotonic() < until
        time.sleep(0.02)
    os.kill(int((tmp_path / "tasks.pid").read_text().split()[1]), signal.SIGUSR1)  # to one rank only, not the first
    output = job.communicate(timeout=_PATIENCE)[0]
    assert job.returncode == 0, output[-4000:]
    assert (tmp_path / "requeued").read_text() == "requeue 77\n"
    stopped = checkpoint(tmp_path)["global_step"]
    assert 0 < stopped < expected["global_step"]
    assert f"step {stopped} saved" in output
    again = submit(overrides, cluster, tmp_path)
    output = again.communicate(timeout=_PATIENCE)[0]
    assert again.returncode == 0, output[-4000:]
    found = checkpoint(tmp_path)
    assert found["global_step"] == expected["global_step"]
    for part in ("state_dict", "current_model_state"):  # averaged weights, and those that are trained
        for name, value in expected[part].items():
            assert torch.equal(found[part][name], value), (part, name)


def test_srun_is_told_of_the_cores(cluster, tmp_path):
    (tmp_path / "lfb-train").write_text('#!/usr/bin/env bash\necho "cores: $SRUN_CPUS_PER_TASK"\n')
    said = submit([], {**cluster, "SLURM_CPUS_PER_TASK": "6"}, tmp_path).communicate(timeout=_PATIENCE)[0]
    assert said.splitlines() == ["cores: 6"] * 2


def test_script_asks_sbatch_for_what_lightning_needs():
    lines = (ROOT / "scripts" / "train.slurm").read_text().splitlines()
    options = dict(line.removeprefix("#SBATCH --").partition("=")[::2] for line in lines if line.startswith("#SBATCH"))
    assert options["ntasks-per-node"] == options["gpus-per-node"]
    assert options["signal"] == "SIGUSR1@180"
    assert "requeue" in options
    assert subprocess.run(["bash", "-n", ROOT / "scripts" / "train.slurm"], check=False).returncode == 0
