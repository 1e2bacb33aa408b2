"""Clips, training centers, labels and crops are those of the paper's code on Charades and EPIC-Kitchens."""

import json

import pytest

from lfb_lightning.charades import ListedVideo
from lfb_lightning.clips.frame_sampling import center_range, frames_around, segment_centers, shifted_crops
from tests.conftest import GOLDEN

FOLDER = GOLDEN / "paper_datasets" / "sampling"
CHARADES, EPIC = (json.loads((FOLDER / f"{name}.json").read_text()) for name in ("charades", "epic"))
CLIP = {"length": 32, "stride": 4}
CROPS = ("left", "centre", "right")


def frames(center, num_frames):
    return frames_around(center, num_frames=num_frames, **CLIP).tolist()


@pytest.mark.parametrize("case", CHARADES["lfb_test"], ids=lambda case: str(case["num_frames"]))
def test_test_clips_of_charades(case):
    count = case["num_frames"]
    for test in case["tests"]:
        centers = segment_centers(count, test["segments"])
        assert centers == test["centers"]
        for center, expected in zip(centers, test["clips"], strict=True):
            found = frames(center, count)
            # A pair is first and last frame of a clip with all steps 4.
            assert found == (expected if len(expected) > 2 else [*range(expected[0], expected[1] + 1, 4)])


def test_views_of_charades_come_clip_by_clip():
    given = CHARADES["lfb_test_order_of_4_videos_30_clips"]
    videos = len(given["num_frames"])
    for row in given["rows"]:
        view, video = divmod(row["db_index"], videos)
        segment, crop = divmod(view, 3)
        assert (video, segment, CROPS[crop]) == (row["video"], row["segment"], row["crop"])
        count = given["num_frames"][video]
        found = frames(segment_centers(count, 10)[segment], count)
        assert [found[0], found[-1]] == row["frames_first_last"]


@pytest.mark.parametrize("case", CHARADES["lfb_train_center_range"], ids=lambda case: str(case["num_frames"]))
def test_training_centers_of_charades(case):
    first, last = center_range(case["num_frames"], CLIP["length"] * CLIP["stride"])
    assert (first, last, last - first + 1) == (case["center_min"], case["center_max"], case["distinct"])


def test_labels_of_training_clips():
    for row in CHARADES["lfb_train_clip_labels"]["rows"]:
        count, number = row["num_frames"], row["video"]
        labels = [tuple([number] * (frame < count // 2) + [10 + number] * (frame % 50 < 25)) for frame in range(count)]
        video = ListedVideo("v", number, labels)
        assert video.actions_between(row["frames"][0], row["frames"][-1]) == row["labels"]
        first = row["frames"][0]
        if row["frames"][-1] - first == 31 * 4:
            assert frames(first + 64, count) == row["frames"]
    assert ListedVideo("v", 0, [(1,), (), (2,), (0,)]).actions_between(1, 2) == [2]


@pytest.mark.parametrize("case", CHARADES["lfb_crops_256"], ids=lambda case: f"{case['height']}x{case['width']}")
def test_crops(case):
    assert [[*place] for place in shifted_crops(case["height"], case["width"], 256)] == case["top_left_of_crops"]


@pytest.mark.parametrize("case", EPIC["cases"], ids=lambda case: f"{case['start']}-{case['num_frames']}")
def test_clips_of_epic(case):
    start, stop = case["start_frame"], case["stop_frame"]  # their rounding: tests/epic/test_formats.py
    assert (start + stop) // 2 == case["test_center"]
    found = frames_around(case["test_center"], num_frames=case["num_frames"], length=32, stride=2)
    assert found.tolist() == case["test_frames"]
    assert (case["train_center_min"], case["train_center_max"]) == (start, stop)
