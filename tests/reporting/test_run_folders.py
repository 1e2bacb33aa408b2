"""What is read of run folders: whole ones, killed ones, damaged ones, those of sweeps; and what names can do to the page."""

import json

import pytest

from lfb_lightning.errors import InputError
from lfb_lightning.reporting import write_report
from lfb_lightning.reporting.logged import read_log
from tests.reporting.example import (
    FIRST,
    HOSTILE,
    LOG,
    LONG,
    data_of,
    write_files,
    write_test_run,
    write_training_run,
)


def reported(tmp_path, *runs, **options):
    write_report(tmp_path / "r.html", runs=runs, **options)
    return data_of(tmp_path / "r.html")


def facts(run):
    return dict(run["facts"])


def curves(run):
    return {curve["name"]: (curve["steps"], curve["values"]) for curve in run["curves"]}


def test_a_training_run(tmp_path):
    data = reported(tmp_path, write_training_run(tmp_path / "run", best_checkpoint="/there/best.ckpt"))
    (run,) = data["runs"]
    assert (run["kind"], run["score"], run["judged"], run["notes"]) == ("training", 0.375, False, [])
    assert facts(run) == {
        "best mAP": 0.375,
        "best epoch": 2,
        "epochs": 2,
        "steps": 40,
        "checkpoint": "/there/best.ckpt",
    }
    assert curves(run) == {
        "lr-SGD": ([9, 29], [0.1, 0.01]),
        "train/loss_step": ([9, 29], [0.8, 0.5]),
        "val/mAP": ([19, 39], [0.25, 0.375]),
        "train/loss_epoch": ([19, 39], [0.75, 0.5]),
    }
    assert run["epochs"] == [[20, 1], [40, 2]]
    assert dict(run["config"])["data.fps"] == "30.0"
    assert {row["id"]: row["runs"][0]["ap"] for row in data["classes"]} == {"1": 0.5, "2": 0.25, "3": None, "4": 0.375}
    assert data["groups"] == [{"name": "own group", "ids": [], "runs": [0.375]}]
    assert data["frames"] == [None]


def test_a_killed_run_is_read_as_far_as_it_goes(tmp_path):
    run = write_training_run(tmp_path / "run", log=LOG + "2,,5")
    (run / "metrics.json").unlink()
    data = reported(tmp_path, run)
    assert curves(data["runs"][0])["train/loss_step"] == ([9, 29], [0.8, 0.5])
    assert data["runs"][0]["score"] is None
    assert "1 line is incomplete in logs/metrics.csv" in data["runs"][0]["notes"][0]
    assert data["classes"] == []


def test_a_resumed_run_is_one_curve(tmp_path):
    """The first part went on to step 39 before it was killed; the second went on from the checkpoint of step 30."""
    run = write_training_run(tmp_path / "run", log="epoch,step,train/loss_step\n,35,0.25\n,45,0.125\n")
    (run / "logs" / "metrics_1.csv").write_text(LOG)
    log = read_log(run / "logs")
    steps = {curve.name: (curve.steps, curve.values) for curve in log.curves}
    assert steps["train/loss_step"] == ([9, 29, 35, 45], [0.8, 0.5, 0.25, 0.125])
    assert steps["val/mAP"] == ([19], [0.25])
    assert log.epochs == [(20, 1)]


def test_values_that_are_no_numbers_are_gaps(tmp_path):
    log = "step,train/loss_step\n0,1.0\n1,nan\n2,inf\n3,0.5\n4,high\n"
    data = reported(tmp_path, write_training_run(tmp_path / "run", log=log, mAP=float("nan")))
    assert curves(data["runs"][0])["train/loss_step"] == ([0, 1, 2, 3], [1.0, None, None, 0.5])
    assert data["runs"][0]["score"] is None
    assert any("2 logged values are NaN or infinite" in note for note in data["runs"][0]["notes"])


def test_long_curves_keep_their_extremes(tmp_path):
    rows = "".join(f"{step},{9.0 if step == 7777 else step % 5}\n" for step in range(20000))
    (tmp_path / "metrics.csv").write_text("step,train/loss_step\n" + rows)
    (curve,) = read_log(tmp_path).curves
    assert len(curve.steps) <= 1002
    assert (max(curve.values), min(curve.values), curve.steps[curve.values.index(9.0)]) == (9.0, 0.0, 7777)
    assert curve.steps == sorted(curve.steps)


def test_a_test_run_is_judged_by_what_its_configuration_names(tmp_path):
    write_files(tmp_path)
    run = write_test_run(tmp_path / "run", tmp_path, FIRST, class_groups={"some": [1, 2], "rest": [4]})
    (run / "metrics.json").write_text(json.dumps({"mAP": 7 / 18, "main_figure": "mAP"}))
    data = reported(tmp_path, run)
    assert data["runs"][0]["score"] == pytest.approx(7 / 18)
    assert data["runs"][0]["notes"] == []
    assert facts(data["runs"][0])["key frames"] == 3
    assert {group["name"]: group["runs"] for group in data["groups"]} == {
        "some": [pytest.approx(7 / 12)],
        "rest": [0.0],
    }
    (run / "metrics.json").write_text(json.dumps({"mAP": 0.9}))
    assert "metrics.json says mAP 0.900000" in reported(tmp_path, run)["runs"][0]["notes"][0]


def test_without_its_ground_truth_a_test_shows_what_it_stored(tmp_path):
    write_files(tmp_path)
    run = write_test_run(tmp_path / "run", tmp_path, FIRST, annotations=str(tmp_path / "gone.csv"))
    stored = json.loads((write_training_run(tmp_path / "other") / "metrics.json").read_text())
    (run / "metrics.json").write_text(json.dumps(stored))
    data = reported(tmp_path, run)
    assert data["runs"][0]["score"] == 0.375
    assert "gone.csv" in data["runs"][0]["notes"][0]
    assert data["classes"][0]["runs"][0]["ap"] == 0.5
    assert reported(tmp_path, run, sources={"truth": tmp_path / "truth.csv"})["runs"][0]["judged"]


def test_empty_results(tmp_path):
    given = write_files(tmp_path)
    (tmp_path / "first.csv").write_text("")
    write_report(tmp_path / "r.html", results=[tmp_path / "first.csv"], sources=given)
    data = data_of(tmp_path / "r.html")
    assert data["runs"][0]["score"] == 0.0
    assert all(not region["found"] for card in data["frames"][0]["worst"] for region in card["regions"])


def test_no_name_ends_an_element(tmp_path):
    write_files(tmp_path)
    run = write_test_run(tmp_path / "a'<b>\u202e &amp; @data@", tmp_path, FIRST.replace("v,", "<img src=x>,"))
    truth = (tmp_path / "truth.csv").read_text().replace("v,", "<img src=x>,")
    (tmp_path / "truth.csv").write_text(truth)
    data = reported(tmp_path, run, write_training_run(tmp_path / "trained"))
    text = (tmp_path / "r.html").read_text()
    assert text.count("</script>") == 2
    assert "<img" not in text
    assert text.count('"classes":') == 1
    assert {row["name"] for row in data["classes"]} >= {HOSTILE, LONG}
    assert dict(data["runs"][1]["config"])["odd"] == HOSTILE
    assert data["frames"][0]["best"][0]["video"] == "<img src=x>"


def test_damaged_files_are_notes(tmp_path):
    run = write_training_run(tmp_path / "run")
    (run / "metrics.json").write_text("{")
    (run / "config.yaml").write_text("a: &b 1\nc: *b\n")
    data = reported(tmp_path, run)
    assert [note.split(":")[0].split()[0] for note in data["runs"][0]["notes"]] == [str(run / "config.yaml"), "metrics"]
    assert data["runs"][0]["config"] is None
    assert curves(data["runs"][0])


def test_a_sweep_is_its_jobs_named_by_what_differs(tmp_path):
    for number, fbo in enumerate(("nl", "avg")):
        job = write_training_run(tmp_path / "sweep" / str(number))
        record = {"overrides": [f"fbo={fbo}", "seed=3"], "status": number, "seconds": 1.0}
        (job / "job.json").write_text(json.dumps(record))
    data = reported(tmp_path, tmp_path / "sweep")
    assert [run["name"] for run in data["runs"]] == ["0: fbo=nl", "1: fbo=avg"]
    assert [bool(run["notes"]) for run in data["runs"]] == [False, True]


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_what_is_no_run_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"expected (one|a folder) that"):
        write_report(tmp_path / "r.html", runs=[tmp_path / name])
    with pytest.raises(InputError, match="nothing to report"):
        write_report(tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()


def test_numbers_that_are_none_and_names_that_no_file_has(tmp_path):
    """What a stored file says is data: each of these once was a traceback."""
    run = write_training_run(tmp_path / "run", num_ground_truth={"1": float("nan"), "2": "many", "4": 1})
    data = reported(tmp_path, run)
    assert {row["id"]: row["truth"] for row in data["classes"]} == {"1": None, "2": None, "3": None, "4": 1}
    write_files(tmp_path)
    strange = {"first_frame_number": float("inf"), "fps": float("nan"), "video_dir": "nul\0", "frame_prefix": "nul\0"}
    judged = reported(tmp_path, write_test_run(tmp_path / "test", tmp_path, FIRST, **strange))
    assert judged["runs"][0]["judged"]
    assert all(picture["jpeg"] is None for picture in judged["pictures"])
