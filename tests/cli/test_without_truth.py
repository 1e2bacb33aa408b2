"""A split that nobody has annotated, as AVA's test split: results for a challenge server, and no mAP."""

import json
import shutil

import pytest

from lfb_lightning.models import load_detector

pytestmark = pytest.mark.slow
DDP = ["trainer.accelerator=cpu", "trainer.devices=2", "trainer.strategy=ddp"]
SHORT = ["data.last_second=920", "data.num_workers=0"]


@pytest.fixture(scope="module")
def folder(mini_dir, tmp_path_factory):
    """The validation videos as a test split: videos, label map and proposals only."""
    made = tmp_path_factory.mktemp("challenge")
    shutil.copytree(mini_dir / "videos", made / "videos")
    shutil.copy(mini_dir / "mini_ava_action_list.pbtxt", made)
    shutil.copy(mini_dir / "mini_ava_val_proposals.csv", made / "mini_ava_test_proposals.csv")
    return made


@pytest.fixture(scope="module")
def expected(pipeline, here, tmp_path_factory):
    """The rows that the annotated split gives, with nothing excluded."""
    run = tmp_path_factory.mktemp("val")
    here("test", f"ckpt_path={pipeline.checkpoint}", "data.excluded=null", f"hydra.run.dir={run}")
    return (run / "results.csv").read_bytes()


@pytest.mark.parametrize(
    "processes", [pytest.param([], id="one"), pytest.param(DDP, id="two", marks=pytest.mark.thorough)]
)
def test_results_are_those_of_the_annotated_split(pipeline, here, console, folder, expected, tmp_path, processes):
    arguments = [f"ckpt_path={pipeline.checkpoint}", "data=mini_ava", f"paths.data_dir={folder}", "split=test"]
    command = console if processes else here
    done = command("test", *arguments, *SHORT, f"hydra.run.dir={tmp_path}", *processes)
    assert (tmp_path / "results.csv").read_bytes() == expected
    rows = expected.decode().splitlines()
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics == {
        "checkpoint": str(pipeline.checkpoint),
        "weights_digest": load_detector(pipeline.checkpoint).digest(),
        "split": "test",
        "detections": len(rows),
        "keyframes": len({tuple(row.split(",")[:2]) for row in rows}),
        "no_mAP_because": f"annotations {folder}/mini_ava_test.csv: no such file",
    }
    assert "no mAP, since split test has no annotations" in done.stdout + done.stderr
    assert f"results.csv and metrics.json are in {tmp_path}" in done.stdout + done.stderr
    assert "nan" not in done.stdout + done.stderr


def test_excluded_timestamps_are_left_out_where_they_are_there(pipeline, here, folder, expected, tmp_path):
    (tmp_path / "excluded.csv").write_text("mini-val-001,0905\n")
    arguments = [f"ckpt_path={pipeline.checkpoint}", "data=mini_ava", f"paths.data_dir={folder}", "split=test", *SHORT]
    here("test", *arguments, f"data.excluded={tmp_path}/excluded.csv", f"hydra.run.dir={tmp_path / 'run'}")
    found = (tmp_path / "run" / "results.csv").read_text().splitlines()
    rows = expected.decode().splitlines()
    left = [row for row in rows if not row.startswith("mini-val-001,0905,")]
    # Scores of the other keyframes may differ in their last digit: batches are cut elsewhere.
    assert [row.rsplit(",", 1)[0] for row in found] == [row.rsplit(",", 1)[0] for row in left]
    assert len(left) < len(rows)


def test_a_bank_of_such_a_split_is_made_and_read(pipeline, here, folder, tmp_path):
    here(
        "train",
        *pipeline.overrides,
        "fbo=nl",
        "fbo.latent_channels=8",
        "trainer.max_epochs=1",
        "trainer.limit_train_batches=2",
        f"hydra.run.dir={tmp_path / 'nl'}",
    )
    data = ["data=mini_ava", f"paths.data_dir={folder}", "split=test", *SHORT, f"bank.dir={tmp_path / 'banks'}"]
    here("extract", f"ckpt_path={pipeline.checkpoint}", *data, f"hydra.run.dir={tmp_path / 'extract'}")
    nl = f"ckpt_path={tmp_path / 'nl' / 'checkpoints' / 'last.ckpt'}"
    bank = ["bank.window_seconds=16"]
    here("test", nl, *data, *bank, f"hydra.run.dir={tmp_path / 'test'}")
    found = (tmp_path / "test" / "results.csv").read_text().splitlines()
    assert len(found) == json.loads((tmp_path / "test" / "metrics.json").read_text())["detections"] > 0
    assert all(len(row.split(",")) == 8 for row in found)


@pytest.mark.parametrize("command", ["test", "train"])
def test_a_missing_file_of_an_annotated_split_is_an_error(pipeline, here, tmp_path, command):
    if command == "test":
        arguments = [f"ckpt_path={pipeline.checkpoint}", "data.annotations=typo.csv"]
    else:
        arguments = [*pipeline.overrides, "fbo=none", "data.annotations=typo.csv"]
    failed = here(command, *arguments, f"hydra.run.dir={tmp_path}", fails=True)
    assert "typo.csv: no such file; set paths.data_dir, or data.annotations" in failed.stdout + failed.stderr
    assert "Traceback" not in failed.stdout + failed.stderr
    assert not (tmp_path / "results.csv").exists()
