"""One writer per run folder: a second run or sweep in the folder of a living one is refused and leaves it as it was."""

import os
import re
import signal
from pathlib import Path

import pytest

from tests.cli.pausing import pausing
from tests.cli.test_ending import DDP, assert_all_end, training, wait_until

pytestmark = pytest.mark.slow


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("ranks", [[], pytest.param(DDP, marks=pytest.mark.thorough)])
def test_a_second_run_in_a_living_folder_is_refused_and_after_kill_9_the_same_command_goes_on_at_once(
    start, pipeline, here, tmp_path, ranks
):
    run, marker = tmp_path / "run", tmp_path / "here"
    command = training(pipeline, tmp_path, "callbacks.last.every_n_steps=1", "ckpt_path=auto", *ranks)
    paused = pausing(marker, "on_train_batch_end")
    process = start("train", [*command, paused], tmp_path)
    wait_until(marker.exists, process)
    before = content(run)
    refused = here("train", *command, "optim.lr=0.5", "fbo=max", fails=True)
    tested = here("test", f"ckpt_path={pipeline.checkpoint}", f"hydra.run.dir={run}", fails=True)
    for done, name in ((refused, "lfb-train"), (tested, "lfb-test")):
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert re.match(rf"{name}: run folder {run}: process {process.pid} on \S+, since 20\S+ \S+, is", done.stderr)
    assert content(run) == before
    os.kill(process.pid, signal.SIGKILL)
    again = start("train", command, tmp_path)  # while the workers and the other rank of the first are still there
    process.communicate()
    output = again.communicate(timeout=240)[0]
    assert again.returncode == 0, output
    assert (run / "metrics.json").is_file()
    assert_all_end(process, seconds=20)


@pytest.mark.thorough
def test_a_second_sweep_in_a_living_folder_is_refused_and_a_killed_ones_job_ends_with_it(
    start, pipeline, here, tmp_path
):
    sweep, marker = tmp_path / "sweep", tmp_path / "here"
    where = [f"hydra.sweep.dir={sweep}", f"hydra.run.dir={tmp_path / 'other'}", "data.num_workers=1"]
    command = ["-m", *pipeline.overrides[:-1], "trainer.max_epochs=1", "trainer.limit_train_batches=2", *where]
    command += ["trainer.limit_val_batches=1", "fbo=none", "seed=0,1", pausing(marker, "on_train_batch_end")]
    process = start("train", command, tmp_path)
    wait_until(marker.exists, process)
    before = content(sweep)
    refused = here("train", *command, fails=True)
    assert f"lfb-train: run folder {sweep}: process {process.pid} on" in refused.stderr
    assert "choose another hydra.sweep.dir" in refused.stderr
    job = here("train", *pipeline.overrides, "fbo=none", f"hydra.run.dir={sweep / '0'}", fails=True)
    assert f"lfb-train: run folder {sweep / '0'}: process" in job.stderr
    assert content(sweep) == before
    os.kill(process.pid, signal.SIGKILL)
    Path(f"{marker}.go").touch()
    again = start("train", command, tmp_path)
    process.communicate()
    output = again.communicate(timeout=240)[0]
    assert again.returncode == 0, output
    assert_all_end(process, seconds=20)
