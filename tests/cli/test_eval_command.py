"""`lfb-eval` on an oracle case, and on bad input."""

import json

import pytest

from lfb_lightning.ava.label_map import write_label_map

pytestmark = pytest.mark.slow


@pytest.fixture
def files(tmp_path):
    write_label_map(tmp_path / "map.pbtxt", {1: "a", 12: "b", 80: "c"})
    box = "0.1,0.1,0.5,0.5"
    (tmp_path / "gt.csv").write_text(f"v,0902,{box},12,0\nv,0903,{box},12,0\nv,0903,{box},80,1\n")
    (tmp_path / "det.csv").write_text(f"v,0902,{box},12,0.9\nv,0903,0.6,0.6,0.9,0.9,12,0.8\nv,0903,{box},80,0.4\n")
    return {"detections": tmp_path / "det.csv", "annotations": tmp_path / "gt.csv", "label_map": tmp_path / "map.pbtxt"}


def test_figures_by_hand(console, files, tmp_path):
    out = tmp_path / "deep" / "metrics.json"
    done = console("eval", *(f"{key}={path}" for key, path in files.items()), f"out={out}")
    assert "mAP 0.750000" in done.stdout
    found = json.loads(out.read_text())
    assert found["mAP"] == pytest.approx(0.75)  # class 12 finds one of two, class 80 all, class 1 has no ground truth
    assert found["per_class"] == {"1": None, "12": 0.5, "80": 1.0}
    assert found["groups"] == {"person_movement": 0.5, "person_interaction": 1.0}


def test_bad_input_is_named(console, files):
    arguments = [f"{key}={path}" for key, path in files.items()]
    assert "detections is not set" in console("eval", fails=True).stderr
    assert "official_2019" in console("eval", *arguments, "protocol=coco", fails=True).stderr
    files["detections"].write_text("v,0902,0.1,0.1,0.5,0.5,12,high\n")
    failed = console("eval", *arguments, fails=True)
    assert "det.csv, row 1: score is 'high', expected a number" in failed.stderr
    assert "Traceback" not in failed.stderr
