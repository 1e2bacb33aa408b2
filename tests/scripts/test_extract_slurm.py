"""`scripts/extract.slurm` with stand-ins for SLURM's two commands and a real `lfb-extract`: two tasks make one bank."""

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

SCRIPT = ROOT / "scripts" / "extract.slurm"


@pytest.fixture
def task(tmp_path):
    """Runs a task of an array job in this folder, with an `lfb-extract` of some text."""

    def run(command, number, *arguments, tasks="1-2"):
        first, last = tasks.split("-")
        texts = {"srun": 'exec "$@"', "scontrol": 'echo "$@" >> requeued', "lfb-extract": command}
        for name, text in texts.items():
            (tmp_path / name).write_text(f"#!/usr/bin/env bash\n{text}\n")
            (tmp_path / name).chmod(0o755)
        variables = {"JOB_ID": "77", "TASK_ID": str(number), "TASK_MIN": first, "TASK_MAX": last}
        variables["TASK_COUNT"] = str(int(last) - int(first) + 1)
        return subprocess.run(
            ["bash", SCRIPT, *arguments],
            cwd=tmp_path,
            env={
                **os.environ,
                "OMP_NUM_THREADS": "1",
                "PATH": f"{tmp_path}:{os.environ['PATH']}",
                **{f"SLURM_ARRAY_{name}": value for name, value in variables.items()},
                "SLURM_CPUS_PER_TASK": "8",
            },
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_tasks_make_the_bank_of_one_process(pipeline, task, tmp_path):
    real = f'exec {sys.executable} -m lfb_lightning.cli.extract "$@"'
    arguments = ["experiment=mini_ava", f"paths.data_dir={pipeline.mini_dir}", "data.last_second=920"]
    arguments += ["data.num_workers=0", f"ckpt_path={pipeline.checkpoint}", f"bank.dir={tmp_path / 'banks'}"]
    second = task(real, 2, *arguments)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "3 of 3 videos to do" in second.stdout
    assert "3 videos of other shards than 2/2 are not finished" in second.stdout
    assert not (tmp_path / "banks/train/manifest.json").exists()
    first = task(real, 1, *arguments)
    assert first.returncode == 0, first.stdout + first.stderr
    made, whole = tmp_path / "banks/train", pipeline.bank_dir / "train"
    assert {path.name: path.read_bytes() for path in made.iterdir()} == {
        path.name: path.read_bytes() for path in whole.iterdir()
    }


def test_a_task_that_was_asked_to_stop_is_requeued_and_one_that_failed_is_not(task, tmp_path):
    assert task("exit 143", 2).returncode == 0
    assert (tmp_path / "requeued").read_text() == "requeue 77_2\n"
    assert task("exit 1", 2).returncode == 1
    assert (tmp_path / "requeued").read_text() == "requeue 77_2\n"


def test_srun_is_told_of_the_cores(task):
    assert task('echo "cores: $SRUN_CPUS_PER_TASK"', 1).stdout == "cores: 8\n"


@pytest.mark.parametrize("tasks", ["3-3", "0-3", "2-5"])
def test_an_array_that_would_leave_videos_out_is_refused(task, tasks):
    refused = task("exit 0", 3, tasks=tasks)
    assert refused.returncode == 2
    assert "--array must be 1-N" in refused.stderr
