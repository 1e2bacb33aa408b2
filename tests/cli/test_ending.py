"""Runs end when they are asked to, and no process outlives the one that it worked for."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.cli.pausing import pausing

pytestmark = pytest.mark.slow
DDP = ["trainer.accelerator=cpu", "trainer.devices=2", "trainer.strategy=ddp"]


def members(session):
    """The living processes of a session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, _, rest = stat.read_text().rpartition(")")
        except OSError:  # it has just ended
            continue
        state, _, _, its_session = rest.split()[:4]
        if int(its_session) == session and state not in "ZX":
            found.append(int(stat.parent.name))
    return found


def wait_until(condition, process, *, seconds=120):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not come to that"
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.02)


def assert_all_end(process, *, seconds):
    until = time.monotonic() + seconds
    while left := members(process.pid):
        assert time.monotonic() < until, [Path(f"/proc/{one}/cmdline").read_bytes() for one in left]
        time.sleep(0.05)


def training(pipeline, tmp_path, *more):
    run = [f"hydra.run.dir={tmp_path / 'run'}", "fbo=none", "data.batch_size=4", "trainer.max_epochs=2"]
    return [*pipeline.overrides, "data.num_workers=1", *run, *more]


def extraction(pipeline, tmp_path, *more):
    where = [f"bank.dir={tmp_path / 'banks'}", f"hydra.run.dir={tmp_path / 'run'}"]
    return [*pipeline.overrides[:2], "data.last_second=920", f"ckpt_path={pipeline.checkpoint}", *where, *more]


STAGES = {
    "before the ranks have met": ("train", None),
    "at start-up": ("train", "setup"),
    "in training": ("train", "on_train_batch_end"),
    "in validation": ("train", "on_validation_batch_end"),
    "in extraction": ("extract", "on_predict_batch_end"),
    "at the end": ("extract", "on_predict_end"),
}


OFTEN = ("in training",)  # a process per rank each: a minute on a busy machine


@pytest.mark.parametrize(
    "stage", [pytest.param(stage, marks=[] if stage in OFTEN else [pytest.mark.thorough]) for stage in STAGES]
)
def test_all_ranks_and_workers_end_when_the_first_rank_is_killed(start, pipeline, tmp_path, stage):
    command, hook = STAGES[stage]
    marker = tmp_path / "here"
    arguments = (training if command == "train" else extraction)(pipeline, tmp_path, "data.num_workers=1", *DDP)
    process = start(command, arguments + ([pausing(marker, hook)] if hook else []), tmp_path)
    if hook is None:
        wait_until(lambda: len(members(process.pid)) == 2, process)
    else:
        wait_until(marker.exists, process)
    assert len(members(process.pid)) >= 2
    os.kill(process.pid, signal.SIGKILL)
    assert_all_end(process, seconds=30 if hook else 120)
    assert "Traceback" not in process.communicate()[0]


@pytest.mark.parametrize("hook", [pytest.param("setup", marks=pytest.mark.thorough), "on_train_batch_end"])
def test_the_first_rank_ends_when_another_is_killed(start, pipeline, tmp_path, hook):
    marker = tmp_path / "here"
    process = start(
        "train", training(pipeline, tmp_path, *DDP, "data.num_workers=0", pausing(marker, hook, rank=1)), tmp_path
    )
    wait_until(marker.exists, process)
    second = next(one for one in members(process.pid) if b"LOCAL_RANK=1" in Path(f"/proc/{one}/environ").read_bytes())
    os.kill(second, signal.SIGKILL)
    process.communicate(timeout=30)
    assert process.returncode != 0
    assert_all_end(process, seconds=30)


@pytest.mark.parametrize(
    ("ranks", "workers", "number"),
    [
        (1, 0, signal.SIGTERM),
        pytest.param(2, 2, signal.SIGTERM, marks=pytest.mark.thorough),
        pytest.param(1, 2, signal.SIGINT, marks=pytest.mark.thorough),
        pytest.param(2, 0, signal.SIGINT, marks=pytest.mark.thorough),
    ],
)
def test_an_extraction_that_is_asked_to_ends_at_once_and_the_same_command_does_the_rest(
    start, pipeline, console, here, tmp_path, ranks, workers, number
):
    arguments = extraction(pipeline, tmp_path, f"data.num_workers={workers}", "split=train")
    arguments += DDP if ranks == 2 else []
    bank = tmp_path / "banks" / "train"
    process = start("extract", [*arguments, pausing(tmp_path / "here", "on_predict_batch_end", seconds=0.05)], tmp_path)
    wait_until(lambda: list(bank.glob("*.safetensors")), process)
    asked = time.monotonic()
    if number == signal.SIGINT:  # Ctrl-C reaches all of them
        os.killpg(process.pid, number)
    else:
        os.kill(process.pid, number)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 128 + number, output
    assert time.monotonic() - asked < 40  # a few seconds on a machine that has nothing else to do
    assert_all_end(process, seconds=15)
    assert "the same command does the rest" in output
    assert "Traceback" not in output, output
    assert not (bank / "manifest.json").exists()
    (console if ranks == 2 else here)("extract", *arguments)
    assert {path.name: path.read_bytes() for path in bank.iterdir()} == {
        path.name: path.read_bytes() for path in (pipeline.bank_dir / "train").iterdir()
    }


@pytest.mark.thorough  # two ranks end below when one of them is killed
def test_a_rank_that_waits_for_another_ends_too(start, pipeline, tmp_path):
    # The first rank has done its videos: it stands in a barrier, where no Python handler runs.
    marker = tmp_path / "here"
    arguments = extraction(pipeline, tmp_path, "data.num_workers=0", *DDP, pausing(marker, "on_predict_end", rank=1))
    process = start("extract", arguments, tmp_path)
    wait_until(marker.exists, process)
    time.sleep(2)
    os.kill(process.pid, signal.SIGTERM)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 143, output
    assert "Traceback" not in output
    assert_all_end(process, seconds=15)


@pytest.mark.thorough  # in tests/scripts/test_train_slurm.py another rank than the first is asked, too
def test_the_other_rank_passes_the_signal_on(start, pipeline, tmp_path):
    marker = tmp_path / "here"
    arguments = extraction(pipeline, tmp_path, "data.num_workers=0", *DDP)
    process = start("extract", [*arguments, pausing(marker, "on_predict_batch_end", seconds=1.0)], tmp_path)
    wait_until(marker.exists, process)
    second = next(one for one in members(process.pid) if one != process.pid)
    os.kill(second, signal.SIGTERM)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 143, output
    assert_all_end(process, seconds=15)


def test_a_test_ends_at_once(start, pipeline, tmp_path):
    marker = tmp_path / "here"
    where = [f"ckpt_path={pipeline.checkpoint}", f"hydra.run.dir={tmp_path / 'run'}", "data.num_workers=1"]
    process = start("test", [*where, pausing(marker, "on_test_batch_end")], tmp_path)
    wait_until(marker.exists, process)
    os.kill(process.pid, signal.SIGTERM)
    output = process.communicate(timeout=30)[0]
    assert process.returncode == 143, output
    assert "Traceback" not in output
    assert_all_end(process, seconds=15)


@pytest.mark.parametrize(
    ("workers", "number"),
    [
        pytest.param(0, signal.SIGTERM, marks=pytest.mark.thorough),
        pytest.param(2, signal.SIGTERM, marks=pytest.mark.thorough),
        pytest.param(2, signal.SIGKILL, marks=pytest.mark.thorough),
    ],
)
def test_a_cache_that_is_asked_to_ends_with_its_workers_and_can_be_finished(
    start, pipeline, here, tmp_path, workers, number
):
    cache = tmp_path / "cache"
    arguments = ["data=mini_ava", f"paths.data_dir={pipeline.mini_dir}", f"data.cache_dir={cache}", "quality=95"]
    arguments += ["data.last_second=919", f"num_workers={workers}"]
    process = start("cache", arguments, tmp_path)
    wait_until(lambda: list(cache.glob("*.frames")), process)
    os.kill(process.pid, number)
    output = process.communicate(timeout=60)[0]
    assert process.returncode == (143 if number == signal.SIGTERM else -9), output
    assert "Traceback" not in output
    assert_all_end(process, seconds=15)
    done = here("cache", *arguments)
    assert "0 failed" in done.stdout
    assert len(list(cache.iterdir())) == 9
