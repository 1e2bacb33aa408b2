"""`lfb-eval` on an oracle case, and on bad input."""

import json

import pytest

from lfb_lightning.ava.label_map import write_label_map

pytestmark = pytest.mark.slow


@pytest.fixture
def files(tmp_path):
    write_label_map(tmp_path / "map.pbtxt", {1: "bend/bow (at the waist)", 12: "stand", 80: "watch (a person)"})
    box = "0.1,0.1,0.5,0.5"
    (tmp_path / "gt.csv").write_text(f"v,0902,{box},12,0\nv,0903,{box},12,0\nv,0903,{box},80,1\n")
    (tmp_path / "det.csv").write_text(f"v,0902,{box},12,0.9\nv,0903,0.6,0.6,0.9,0.9,12,0.8\nv,0903,{box},80,0.4\n")
    return {"detections": tmp_path / "det.csv", "annotations": tmp_path / "gt.csv", "label_map": tmp_path / "map.pbtxt"}


def test_figures_by_hand(here, files, tmp_path):
    out = tmp_path / "deep" / "metrics.json"
    done = here("eval", *(f"{key}={path}" for key, path in files.items()), f"out={out}")
    assert "mAP 0.750000" in done.stdout
    found = json.loads(out.read_text())
    assert found["mAP"] == pytest.approx(0.75)  # class 12 finds one of two, class 80 all, class 1 has no ground truth
    assert found["per_class"] == {"1": None, "12": 0.5, "80": 1.0}
    assert found["groups"] == {"person_movement": 0.5, "person_interaction": 1.0}


def test_bad_input_is_named(here, files):
    arguments = [f"{key}={path}" for key, path in files.items()]
    told = here("eval", fails=True).stderr
    assert "detections is not set" in told
    assert "protocol=charades" in told
    assert "official_2019" in here("eval", *arguments, "protocol=coco", fails=True).stderr
    files["detections"].write_text("v,0902,0.1,0.1,0.5,0.5,12,high\n")
    failed = here("eval", *arguments, fails=True)
    assert "det.csv, row 1: score is 'high', expected a number" in failed.stderr
    assert "Traceback" not in failed.stderr


def test_groups_are_those_of_ava_and_of_no_other_label_map(here, files):
    write_label_map(files["label_map"], {1: "open door", 12: "wave", 80: "sit"})
    done = here(
        "eval", *(f"{key}={path}" for key, path in files.items()), f"out={files['label_map'].parent / 'm.json'}"
    )
    assert "person_movement" not in done.stdout
    assert json.loads((files["label_map"].parent / "m.json").read_text())["groups"] == {}


def test_boxes_of_pixels_are_not_an_map_of_zero(here, files):
    pixels = "v,0902,10,10,50,50,12,0.9\nv,0903,60,60,90,90,12,0.8\n"
    arguments = [f"{key}={path}" for key, path in files.items()]
    fractions = files["detections"].read_text()
    files["detections"].write_text(pixels)
    for failed in (
        here("eval", *arguments, fails=True),
        here("eval", *arguments, f"compare={files['detections']}", fails=True),
    ):
        assert "det.csv: boxes such as [10.0, 10.0, 50.0, 50.0] are not within 0..1" in failed.stderr
        assert "gt.csv" in failed.stderr
    files["annotations"].write_text(pixels.replace("0.9\n", "0\n").replace("0.8\n", "0\n"))
    assert "mAP 1.000000" in here("eval", *arguments).stdout  # both of pixels: the official tool compares them
    files["detections"].write_text(fractions)
    assert "gt.csv: boxes such as [10.0, 10.0" in here("eval", *arguments, fails=True).stderr


def test_files_without_a_keyframe_in_common_are_not_an_map_of_zero(here, files):
    files["detections"].write_text("v,0002,0.1,0.1,0.5,0.5,12,0.9\n")
    failed = here("eval", *(f"{key}={path}" for key, path in files.items()), fails=True)
    assert "none of its 1 keyframes is in" in failed.stderr
    assert "one there is 'v,902', one here 'v,2'" in failed.stderr
    files["detections"].write_text("")
    assert "mAP 0.000000" in here("eval", *(f"{key}={path}" for key, path in files.items())).stdout
