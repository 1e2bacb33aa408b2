"""The table of a sweep from records written by hand."""

import json

from lfb_lightning.cli.sweep_job import JobRecord
from lfb_lightning.cli.sweep_report import sweep_rows, sweep_table, write_report


def record(folder, overrides, status, metrics=None):
    folder.mkdir(parents=True)
    JobRecord(overrides=overrides, status=status, seconds=1.25).write(folder)
    if metrics is not None:
        (folder / "metrics.json").write_text(json.dumps(metrics))


def test_rows_have_what_differs_in_the_order_of_their_numbers(tmp_path):
    record(tmp_path / "10", ["fbo=max", "+a.b=1", "seed=0"], None, {"mAP": 0.9})
    record(tmp_path / "2", ["fbo=nl", "seed=0"], 0, {"mAP": 0.25, "best_mAP": 0.5, "logged": {"x": 1.0}, "name": "n"})
    record(tmp_path / "9", ["fbo=avg", "seed=0"], 1, {"mAP": 0.7})
    rows = sweep_rows(tmp_path)
    assert [(row.job, row.state, row.score) for row in rows] == [
        ("2", "ok", 0.5),
        ("9", "failed", None),
        ("10", "unfinished", None),
    ]
    assert [row.parameters for row in rows] == [
        {"fbo": "nl", "a.b": ""},
        {"fbo": "avg", "a.b": ""},
        {"fbo": "max", "a.b": "1"},
    ]
    table = sweep_table(rows)
    assert list(table.columns) == ["job", "fbo", "a.b", "state", "seconds", "mAP", "best_mAP"]
    assert list(table["mAP"].fillna(-1)) == [0.25, -1, -1], "figures of a job that failed may be of another run"


def test_jobs_are_compared_by_the_figure_that_they_call_the_main_one(tmp_path, caplog):
    metrics = [
        {"main_figure": "accuracy", "accuracy": 0.25, **more} for more in ({"best_accuracy": 0.75}, {"mAP": 1.0})
    ]
    for number, found in enumerate(metrics):
        record(tmp_path / str(number), [f"seed={number}"], 0, found)
    rows = sweep_rows(tmp_path)
    assert [row.score for row in rows] == [0.75, 0.25]
    with caplog.at_level("INFO"):
        write_report(tmp_path, rows)
    assert caplog.messages[0].splitlines()[1].split() == ["job", "seed", "state", "seconds", "accuracy"]


def test_empty_folder_has_no_rows(tmp_path):
    assert sweep_rows(tmp_path) == []
