"""A good data set passes; each way to break one is found and named."""

import shutil

import pytest

from lfb_lightning.data import AvaData, Split
from lfb_lightning.data.checks.findings import SplitReport
from lfb_lightning.data.checks.fingerprint import fingerprint
from lfb_lightning.data.checks.tables import check_tables
from lfb_lightning.data.checks.videos import look_at_videos, report_videos
from lfb_lightning.errors import InputError


def described(folder, **changes):
    settings = {
        "video_dir": str(folder / "videos"),
        "label_map": str(folder / "mini_ava_action_list.pbtxt"),
        "annotations": str(folder / "mini_ava_{split}.csv"),
        "proposals": str(folder / "mini_ava_{split}_proposals.pkl"),
        "fps": 10.0,
        "first_second": 901,
        "last_second": 920,
        "frame_stride": 3,
        "train_short_side": None,
        "eval_short_side": None,
    }
    return Split(AvaData(**(settings | changes)), "val")


def messages(report, level="error"):
    return [finding.what for finding in report.findings if finding.level == level]


def test_a_good_data_set_has_no_findings(mini_dir):
    split = described(mini_dir, expected_counts={"val": {"videos": 3, "classes": 14, "annotation_rows": None}})
    report = check_tables(split)
    report_videos(list(look_at_videos(split, exactness_probes=2)), report, source="video", exactness_probes=2)
    assert report.findings == []
    assert report.figures["videos_found"] == 3
    assert report.figures["keyframes_with_proposals"] == 1.0
    assert report.figures["proposal_recall_at_0.5"] > 0.9


def test_counts_that_differ_are_errors(mini_dir):
    report = check_tables(described(mini_dir, expected_counts={"val": {"videos": 4, "annotation_rows": 1, "moons": 2}}))
    assert messages(report)[0] == "videos: 3, expected 4"
    assert messages(report)[1].startswith("annotation_rows: ")
    assert "moons" in messages(report, "warning")[0]


def test_seconds_that_are_never_used(mini_dir):
    report = check_tables(described(mini_dir, first_second=1, last_second=20, expected_counts={}))
    assert "its seconds are 901 to 919, used are 1 to 20" in messages(report)[0]


def scaled_proposals(mini_dir, path, factor):
    lines = (mini_dir / "mini_ava_val.csv").read_text().splitlines()
    proposals = []
    for line in lines:
        video, second, *box, _, _ = line.split(",")
        x1, y1, x2, y2 = (factor * float(value) for value in box)
        proposals.append(f"{video},{int(second)},{x1},{y1},{x2},{y2},,0.99")
    path.write_text("\n".join(proposals[:40]))
    return str(path)


def test_pixel_boxes(mini_dir, tmp_path):
    with pytest.raises(InputError, match=r"proposals\.csv, row 1: box .* is not within 0\.\.1"):
        check_tables(described(mini_dir, proposals=scaled_proposals(mini_dir, tmp_path / "proposals.csv", 96)))


def test_low_recall_and_late_proposals(mini_dir, tmp_path):
    report = check_tables(described(mini_dir, proposals=scaled_proposals(mini_dir, tmp_path / "proposals.csv", 0.2)))
    warnings = " ".join(messages(report, "warning"))
    assert "annotated keyframes have proposals" in warnings
    assert "find 0.0% of the annotated persons" in warnings


def test_missing_broken_and_short_videos(mini_dir, tmp_path):
    shutil.copytree(mini_dir / "videos", tmp_path / "videos")
    names = sorted(path for path in (tmp_path / "videos").iterdir() if "val" in path.name)
    names[0].unlink()
    names[1].write_bytes(b"nothing")
    split = described(mini_dir, video_dir=str(tmp_path / "videos"), origin_second=890.0)
    facts = list(look_at_videos(split, exactness_probes=0))
    report = SplitReport("val")
    report_videos(facts, report, source="video", exactness_probes=0)
    assert "no file with one of the endings" in messages(report)[0]
    assert "cannot be decoded" in messages(report)[1]
    assert report.figures["videos_found"] == 1
    (warning,) = messages(report, "warning")
    assert "end before their last keyframes" in warning


def test_the_fingerprint_tells_other_frames(mini_dir):
    first = fingerprint(described(mini_dir), 4)
    assert first == fingerprint(described(mini_dir), 4)
    assert len(first["probes"]) == 4
    shifted = fingerprint(described(mini_dir, frame_shift=4.0), 4)
    assert shifted["digest"] != first["digest"]
    assert shifted["probes"].keys() == first["probes"].keys()


@pytest.mark.parametrize("number", [1, 1000])
def test_a_fingerprint_of_missing_videos_says_so(mini_dir, tmp_path, number):
    probes = fingerprint(described(mini_dir, video_dir=str(tmp_path)), number)["probes"]
    assert all("no file" in probe["unreadable"] for probe in probes.values())
