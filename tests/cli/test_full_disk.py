"""A disk that takes no more, wherever a command meets it: one line, status 1, the last good file, and no temporary one."""

import os
import re
import resource
import shutil
import subprocess
import sys

import pytest

from tests.cli.in_process import run
from tests.cli.test_extraction import DDP, can_mount

pytestmark = pytest.mark.slow
# A limit on file sizes is the disk error that needs no rights: the write itself fails, as on a full disk.
LIMITED = """
import resource, runpy, sys
limit, module, *sys.argv[1:] = sys.argv[1:]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


def limited(limit, command, arguments, folder):
    """A console command none of whose files may become larger than `limit` bytes."""
    process = [sys.executable, "-c", LIMITED, str(limit), f"lfb_lightning.cli.{command}", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(process, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def commands(pipeline, out):
    bank = pipeline.bank_dir / "val"
    data = [f"paths.data_dir={pipeline.mini_dir}", "data.last_second=920", f"data.cache_dir={out}", "num_workers=0"]
    return {
        "test": (9000, ["test", f"ckpt_path={pipeline.checkpoint}", f"hydra.run.dir={out}"], "results.csv"),
        "export": (9000, ["bank", "export", f"folder={bank}", f"to={out}/lfb.pkl"], "lfb.pkl"),
        "convert": (2000, ["bank", "convert", f"folder={bank}", f"to={out}", "precision=int8"], ".safetensors"),
        "inspect": (3000, ["bank", "inspect", f"folder={bank}", f"out={out}/report"], "report.png"),
        "cache": (9000, ["cache", "data=mini_ava", *data], ".frames"),
    }


@pytest.mark.parametrize("name", ["test", "export", "convert", "inspect", "cache"])
def test_a_refused_write_is_one_line_and_leaves_no_temporary_file(pipeline, tmp_path, name):
    out = tmp_path / "out"
    out.mkdir()
    limit, (command, *arguments), file = commands(pipeline, out)[name]
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))  # Python ignores the signal that comes with it
    try:
        done = run(command, *arguments, folder=tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))
    output = done.stdout + done.stderr
    assert done.status == 1, output
    assert re.search(
        rf"^(lfb-\w+|not in the cache: \S+): {out}.*{re.escape(file)}: cannot be written \(File too large\)\.$",
        output,
        re.M,
    )
    assert "Traceback" not in output
    assert not [path.name for path in out.rglob("*") if path.name.endswith((file, ".tmp"))]


@pytest.mark.thorough
def test_of_two_ranks_only_the_one_that_writes_says_so(pipeline, tmp_path):
    where = ["fbo=none", "trainer.max_epochs=1", "trainer.limit_train_batches=2", f"hydra.run.dir={tmp_path}/run"]
    done = limited(90_000, "train", [*pipeline.overrides, *where, *DDP], tmp_path)
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if "cannot be written" in line or line.startswith("lfb-")]
    assert said == [f"lfb-train: {tmp_path}/run/checkpoints/best.ckpt: cannot be written (File too large)."]
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("unshare") is None or not can_mount(), reason="needs the right to mount")
@pytest.mark.parametrize(
    ("size", "left"),
    [*(pytest.param(size, None, marks=pytest.mark.thorough) for size in ("4k", "40k")), ("300k", "best.ckpt")],
)
def test_a_training_on_a_full_disk_ends_with_one_line_and_keeps_what_was_whole(pipeline, tmp_path, size, left):
    disk = tmp_path / "disk"
    disk.mkdir()
    where = ["fbo=none", "trainer.max_epochs=1", "trainer.limit_train_batches=2", f"hydra.run.dir={disk}/run"]
    command = [sys.executable, "-m", "lfb_lightning.cli", "train", *pipeline.overrides, *where]
    copied = f'mount -t tmpfs -o size={size} none {disk} && "$@"; status=$?; cp -r {disk}/run {tmp_path}; exit $status'
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", copied, "sh", *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert re.search(rf"^lfb-train: {disk}/run.*: cannot be written.*No space left on device\)", done.stderr, re.M)
    assert "Traceback" not in done.stdout + done.stderr
    assert not list((tmp_path / "run").rglob(".*.tmp"))
    kept = [path.name for path in (tmp_path / "run").rglob("*.ckpt")]
    assert kept == ([left] if left else [])
