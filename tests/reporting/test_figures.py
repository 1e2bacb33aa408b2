"""The figures on the page: those of the official tool, of hand-computed cases, and of what runs have logged."""

import base64
import json

import numpy as np
import pytest

from lfb_lightning.errors import InputError
from lfb_lightning.reporting import write_report
from lfb_lightning.video.jpeg import decode_jpeg
from tests.conftest import GOLDEN
from tests.reporting.example import (
    FIRST,
    LEFT,
    RIGHT,
    SECOND,
    TRUTH,
    data_of,
    write_files,
    write_test_run,
    write_training_run,
    write_videos,
)

CASES = sorted(path.parent for path in (GOLDEN / "ava_eval").glob("*/expected.json"))


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_golden_cases_equal_the_official_tool(case, tmp_path):
    expected = json.loads((case / "expected.json").read_text())["official_head"]
    given = {"truth": case / "gt.csv", "labels": case / "labelmap.pbtxt"}
    if "error" in expected:
        with pytest.raises(InputError, match="x2 < x1"):
            write_report(tmp_path / "r.html", results=[case / "det.csv"], sources=given)
        return
    write_report(tmp_path / "r.html", results=[case / "det.csv"], sources=given, pictures=1)
    data = data_of(tmp_path / "r.html")
    rows = {row["id"]: row for row in data["classes"]}
    for key in rows.keys() - expected["per_class"].keys():
        assert (rows[key]["truth"], rows[key]["runs"][0]["ap"]) == (0, None)
    for key, wanted in expected["per_class"].items():
        row, found = rows[key], rows[key]["runs"][0]
        assert found["ap"] == (None if wanted["ap"] is None else pytest.approx(wanted["ap_min"], abs=1e-12))
        assert (row["truth"], found["detections"], found["true"]) == (
            wanted["num_gt"],
            wanted["num_det"],
            wanted["num_tp"],
        )
    mean = None if expected["mAP"] is None else pytest.approx(expected["mAP_min"], abs=1e-12)
    assert data["runs"][0]["score"] == mean


def test_two_results_by_hand(tmp_path):
    given = write_files(tmp_path)
    results = [tmp_path / "first.csv", tmp_path / "second.csv"]
    write_report(tmp_path / "r.html", results=results, sources=given, resamples=400)
    data = data_of(tmp_path / "r.html")
    assert [run["score"] for run in data["runs"]] == pytest.approx([7 / 18, 13 / 18])
    aps = {row["id"]: [entry["ap"] for entry in row["runs"]] for row in data["classes"]}
    assert aps == {"1": [pytest.approx(2 / 3)] * 2, "2": [0.5, 0.5], "3": [None, None], "4": [0.0, 1.0]}
    found = data["compared"][1]
    assert data["compared"][0] is None
    assert found["difference"] == pytest.approx(1 / 3)
    # Of two videos, a quarter of the draws has v twice (no difference), a quarter w twice (from 0 to 1).
    assert (found["comparable"], found["interval"], found["videos"]) == (True, [0.0, 1.0], 2)
    assert 0.65 < found["better"] < 0.85
    (gained,) = data["changes"][1]["gained"]
    assert (gained["video"], gained["second"], gained["gain"]) == ("w", 902.0, pytest.approx(0.9))
    assert data["changes"][1]["lost"] == []


def test_key_frames_by_hand(tmp_path):
    """902 of v has 3 labels: found at 0.9 and 0.6 and missed once; its 3 strongest false ones are 0.8, 0.7 and 0.1."""
    given = write_files(tmp_path)
    write_report(tmp_path / "r.html", results=[tmp_path / "first.csv"], sources=given)
    frames = data_of(tmp_path / "r.html")["frames"][0]
    scores = {("v", 902.0): -0.1 / 3, ("v", 910.0): 0.5, ("w", 902.0): 0.0}
    assert [(card["video"], card["second"]) for card in frames["worst"]] == sorted(scores, key=scores.get)
    assert [card["score"] for card in frames["best"]] == pytest.approx(sorted(scores.values(), reverse=True))
    assert (frames["frames"], frames["mean"]) == (3, pytest.approx(sum(scores.values()) / 3))
    left, right = frames["worst"][0]["regions"]
    assert left == {
        "box": [0.1, 0.1, 0.4, 0.9],
        "annotated": True,
        "found": [["1", 0.9], ["2", 0.6]],
        "missed": [],
        "false": [["3", 0.7]],
    }
    assert (right["found"], right["missed"], right["false"]) == ([], ["1"], [["2", 0.8], ["3", 0.1]])


def test_a_false_detection_beside_all_persons_has_a_box_of_its_own(tmp_path):
    given = write_files(tmp_path)
    (tmp_path / "first.csv").write_text(f"v,0910,{RIGHT},1,0.75\n")
    write_report(tmp_path / "r.html", results=[tmp_path / "first.csv"], sources=given)
    worst = data_of(tmp_path / "r.html")["frames"][0]["worst"][0]
    assert (worst["second"], worst["score"]) == (910.0, -0.75)
    assert [(one["annotated"], one["false"]) for one in worst["regions"]] == [(True, []), (False, [["1", 0.75]])]


def test_neighboring_key_frames_are_not_shown_twice(tmp_path):
    given = write_files(tmp_path)
    (tmp_path / "truth.csv").write_text("".join(f"v,{second},{LEFT},1,0\n" for second in range(902, 922)))
    write_report(tmp_path / "r.html", results=[tmp_path / "first.csv"], sources=given)
    seconds = [card["second"] for card in data_of(tmp_path / "r.html")["frames"][0]["best"]]
    assert seconds == [910.0, 902.0, 916.0]
    assert all(abs(one - two) > 5 for place, one in enumerate(seconds) for two in seconds[:place])


def test_the_curve_of_a_class_encloses_its_ap(tmp_path):
    given = write_files(tmp_path)
    write_report(tmp_path / "r.html", results=[tmp_path / "first.csv"], sources=given)
    rows = {row["id"]: row["runs"][0] for row in data_of(tmp_path / "r.html")["classes"]}
    recall, precision = (
        np.frombuffer(base64.b64decode(rows["1"]["curve"][key]), "<u2") / 65535 for key in ("recall", "precision")
    )
    assert recall == pytest.approx([1 / 3, 2 / 3], abs=1e-4)
    assert (np.diff(recall, prepend=0) * precision).sum() == pytest.approx(rows["1"]["ap"], abs=1e-4)
    assert rows["3"]["curve"] is None


def test_pictures_are_those_of_the_moments(tmp_path):
    given = write_files(tmp_path)
    write_videos(tmp_path / "videos")
    sources = {**given, "videos": tmp_path / "videos", "origin_second": 900.0}
    write_report(tmp_path / "r.html", results=[tmp_path / "first.csv"], sources=sources)
    data = data_of(tmp_path / "r.html")
    cards = {(card["video"], card["second"]): data["pictures"][card["picture"]] for card in data["frames"][0]["best"]}
    assert "video " in cards["w", 902.0]["why"]
    assert cards["w", 902.0]["jpeg"] is None
    for second, gray in ((902.0, 20 + 8 * 4), (910.0, 20 + 8 * 20)):
        picture = decode_jpeg(base64.b64decode(cards["v", second]["jpeg"]), "picture", remedy="")
        assert picture.shape == (96, 160, 3)
        assert picture.mean() == pytest.approx(gray, abs=4)
    assert len(data["pictures"]) == 3


def test_boxes_in_pixels_are_shown_as_fractions(tmp_path):
    given = write_files(tmp_path)
    write_videos(tmp_path / "videos")
    (tmp_path / "truth.csv").write_text("v,0902,16,48,80,96,1,0\n")
    (tmp_path / "first.csv").write_text("v,0902,16,48,80,96,1,0.5\n")
    write_report(
        tmp_path / "r.html", results=[tmp_path / "first.csv"], sources={**given, "videos": tmp_path / "videos"}
    )
    assert data_of(tmp_path / "r.html")["frames"][0]["best"][0]["regions"][0]["box"] == [0.1, 0.5, 0.5, 1.0]


def test_other_ground_truth_is_said_and_not_subtracted(tmp_path):
    write_files(tmp_path)
    one = write_test_run(tmp_path / "one", tmp_path, FIRST)
    (tmp_path / "less.csv").write_text(TRUTH.rpartition("w,")[0])
    other = write_test_run(tmp_path / "other", tmp_path, SECOND, annotations=str(tmp_path / "less.csv"))
    (tmp_path / "same.csv").write_text("".join(reversed(TRUTH.splitlines(keepends=True))))
    same = write_test_run(tmp_path / "same", tmp_path, SECOND, annotations=str(tmp_path / "same.csv"))
    trained = write_training_run(tmp_path / "trained")
    elsewhere = write_training_run(tmp_path / "elsewhere", num_ground_truth={"1": 7})
    write_report(tmp_path / "r.html", runs=[one, other, same, trained, elsewhere])
    _, *found = data_of(tmp_path / "r.html")["compared"]
    assert [entry["comparable"] for entry in found] == [False, True, True, False]
    assert "another ground truth" in found[0]["reason"]
    assert found[0]["difference"] is None
    assert found[1]["interval"] is not None
    assert found[2]["difference"] == pytest.approx(0.375 - 7 / 18)
    assert "it has no stored detections" in found[2]["reason"]


def test_one_video_has_no_interval(tmp_path):
    """Every draw of one video is that video: a point, which would claim to be sure."""
    given = write_files(tmp_path)
    given["truth"].write_text("".join(line for line in TRUTH.splitlines(keepends=True) if line.startswith("v")))
    (tmp_path / "better.csv").write_text(FIRST.replace("0.8", "0.2"))
    write_report(
        tmp_path / "r.html", results=[tmp_path / "first.csv", tmp_path / "better.csv"], sources=given, resamples=5
    )
    data = data_of(tmp_path / "r.html")
    found = data["compared"][1]
    assert (found["difference"], found["interval"], found["better"], found["videos"]) == (0.25, None, None, 1)
    assert found["reason"] == "no interval, since there is one video only"
    assert data["changes"][1]["gained"]


def test_a_picture_is_of_the_folder_of_its_run(tmp_path):
    write_files(tmp_path)
    write_videos(tmp_path / "videos")
    runs = [
        write_test_run(tmp_path / name, tmp_path, FIRST, video_dir=str(tmp_path / name)) for name in ("gone", "videos_")
    ]
    (tmp_path / "videos").rename(tmp_path / "videos_" / "v")
    (tmp_path / "videos_" / "v" / "v.avi").rename(tmp_path / "videos_" / "v.avi")
    (tmp_path / "videos_" / "v").rmdir()
    write_report(tmp_path / "r.html", runs=runs, resamples=1)
    data = data_of(tmp_path / "r.html")
    shown = [
        {data["pictures"][card["picture"]]["jpeg"] is None for card in lists["best"] if card["video"] == "v"}
        for lists in data["frames"]
    ]
    assert shown == [{True}, {False}]
