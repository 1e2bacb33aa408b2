"""`lfb-report` on runs of real commands, and what it says to wrong input."""

import json
import shutil

import pytest

from tests.reporting.example import FIRST, data_of, write_files, write_test_run, write_training_run
from tests.reporting.viewing import write_prediction
from tests.stored import BASELINE, MAP

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def runs(here, mini_dir, tmp_path_factory):
    """A training run of one step and a test of a released checkpoint, made by the commands themselves."""
    folder = tmp_path_factory.mktemp("runs")
    data = [f"paths.data_dir={mini_dir}", "data.last_second=920", "data.num_workers=0", "num_threads=1"]
    tiny = [
        "experiment=mini_ava",
        "fbo=none",
        "backbone.base_channels=4",
        "trainer.max_epochs=1",
        "logger.tensorboard=null",
    ]
    here(
        "train",
        *tiny,
        *data,
        "trainer.limit_train_batches=2",
        "trainer.log_every_n_steps=1",
        f"hydra.run.dir={folder / 'train'}",
    )
    here("test", "experiment=mini_ava", "fbo=none", *data, f"ckpt_path={BASELINE}", f"hydra.run.dir={folder / 'test'}")
    return folder


def test_real_runs(here, runs):
    assert f"wrote {runs}/test/report.html" in here("report", f"run={runs}/test").stdout
    data = data_of(runs / "test" / "report.html")
    assert data["runs"][0]["score"] == pytest.approx(MAP[BASELINE], abs=1e-6)
    assert data["runs"][0]["notes"] == []
    assert 6 <= len(data["frames"][0]["best"]) <= 10
    assert all(picture["jpeg"] and (picture["width"], picture["height"]) == (96, 96) for picture in data["pictures"])
    here("report", f"run=[{runs}/test,{runs}/train]", f"out={runs}/both/both.html", "pictures=0")
    data = data_of(runs / "both" / "both.html")
    assert (data["frames"], data["pictures"]) == ([None, None], [])
    test, train = data["runs"]
    curves = {curve["name"]: curve["steps"] for curve in train["curves"]}
    assert curves["train/loss_step"] == [0, 1]
    assert len(curves["val/mAP"]) == 1
    assert data["compared"][1]["comparable"]
    assert data["compared"][1]["difference"] == pytest.approx(train["score"] - test["score"])


def test_a_real_run_has_all_its_key_frames_with_pictures(here, runs):
    out = here("report", f"run={runs}/test", "format=fiftyone").stdout
    samples = json.loads((runs / "test" / "fiftyone" / "samples.json").read_text())["samples"]
    annotated = {tuple(line.split(",")[:2]) for line in (runs / "test" / "results.csv").read_text().splitlines()}
    assert f"\n{len(samples)} key frames\n" in out
    assert {(one["video_id"], f"{one['timestamp']:04g}") for one in samples} >= annotated
    assert len({one["filepath"] for one in samples}) == len(samples)
    assert {one["metadata"]["width"] for one in samples} == {96}


def test_where_the_page_goes(here, tmp_path):
    write_files(tmp_path)
    run = write_test_run(tmp_path / "run", tmp_path, FIRST)
    trained = write_training_run(tmp_path / "sweep" / "0")
    assert f"wrote {run}/report.html" in here("report", f"run={run}").stdout
    assert f"wrote {tmp_path}/sweep/report.html" in here("report", f"run={tmp_path}/sweep").stdout
    assert "wrote report.html" in here("report", f"run=[{run},{trained}]", "resamples=1").stdout
    assert data_of(here.folder / "report.html")["title"] == "run · 0"


def test_only_a_report_is_replaced(here, tmp_path):
    given = write_files(tmp_path)
    arguments = [f"results={tmp_path}/first.csv", *(f"{key}={path}" for key, path in given.items()), "pictures=0"]
    failed = here("report", *arguments, f"out={tmp_path}/first.csv", fails=True)
    said = "is there already, and no report; give another file, or move that one."
    assert failed.message == f"lfb-report: out={tmp_path}/first.csv: {said}"
    assert (tmp_path / "first.csv").read_text() == FIRST
    for _ in range(2):
        here("report", *arguments, f"out={tmp_path}/r.html")


def test_results_of_any_tool(here, tmp_path):
    given = write_files(tmp_path)
    files = [f"{key}={path}" for key, path in given.items()]
    both = f"results=[{tmp_path}/first.csv,{tmp_path}/second.csv]"
    here("report", both, *files, "resamples=10", f"out={tmp_path}/r.html")
    assert [run["name"] for run in data_of(tmp_path / "r.html")["runs"]] == ["first.csv", "second.csv"]


def test_other_viewers(here, tmp_path):
    write_files(tmp_path)
    run = write_test_run(tmp_path / "run", tmp_path, FIRST)
    for viewer, name in (("rerun", "report.rrd"), ("fiftyone", "fiftyone")):
        for _ in range(2):  # an earlier one is replaced
            done = here("report", f"format={viewer}", f"run={run}", "pictures=0")
        assert done.stdout.splitlines()[-2:] == ["3 key frames", f"wrote {run}/{name}"]
    assert {path.name for path in run.iterdir()} == {"config.yaml", "results.csv", "report.rrd", "fiftyone"}
    folder = write_prediction(tmp_path / "walk")
    assert "wrote report.rrd" in here("report", "format=rerun", f"predictions={folder}").stdout
    assert (here.folder / "report.rrd").read_bytes()[:3] == b"RRF"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "there is nothing to report: say run=FOLDER"),
        (["run=gone"], "run=gone: no such folder"),
        (["results=first.csv"], "say truth=FILE"),
        (["results=first.csv", "truth=truth.csv"], "label map is; say labels=FILE"),
        (["results=first.csv", "truth=gone.csv", "labels=labels.pbtxt"], "ground truth is not there: gone.csv"),
        (["results=gone.csv", "truth=truth.csv", "labels=labels.pbtxt"], "gone.csv"),
        (["run=run", "protocol=coco"], "official_2019"),
        (["run=run", "format=coco"], "format"),
        (["predictions=run"], "is for format=rerun and format=fiftyone"),
        (["predictions=run", "format=rerun"], "predictions=run: there is no detections.json"),
        (["predictions=run", "run=run", "format=fiftyone"], "goes without run="),
        (["format=fiftyone"], "say run=FOLDER, results=CSV or predictions=FOLDER"),
        (["run=gone", "format=fiftyone"], "run=gone: no such folder"),
        (["results=gone.csv", "format=rerun"], "gone.csv"),
        (["results=first.csv", "truth=gone.csv", "format=rerun"], "ground truth is not there: gone.csv"),
        (["run=run", "format=rerun", "threshold=2"], "threshold is 2, expected 0 to 1"),
        (["run=run", "format=fiftyone", "megabytes=-1"], "megabytes is -1"),
        (["run=run", "format=fiftyone", "only=u"], "only=u: there is no such video"),
        (["run=run", "format=rerun", "out=truth.csv"], "is there already, and no recording of lfb-report"),
        (["run=run", "format=fiftyone", "out=truth.csv"], "is a file; give the name of a folder"),
        (["run=run", "format=fiftyone", "out=run"], "holds config.yaml; give another folder"),
        (["run=run", "pictures=-1"], "pictures"),
        (["run=run", "out=truth.csv/x.html"], "its folder cannot be made"),
    ],
)
def test_mistakes_are_one_line(here, tmp_path, arguments, words):
    write_files(tmp_path)
    write_test_run(tmp_path / "run", tmp_path, FIRST)
    shutil.copytree(tmp_path, here.folder, dirs_exist_ok=True)
    failed = here("report", *arguments, fails=True)
    assert words in failed.message
    assert len(failed.message.splitlines()) == 1
    assert "Traceback" not in failed.stderr
