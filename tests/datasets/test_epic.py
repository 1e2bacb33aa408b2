"""EPIC-Kitchens as a data set: whose segments are a split, which clips are read of them, and what they are labeled with."""

import json

import pytest
import torch

from lfb_lightning.clips.frame_sampling import frames_around
from lfb_lightning.datasets import EpicDataset
from lfb_lightning.structures import Item, Keyframe
from tests.conftest import GOLDEN
from tests.epic_set import TRAIN, VAL, write_epic55, write_epic100

FOLDER = GOLDEN / "paper_datasets"
SAMPLING = json.loads((FOLDER / "sampling" / "epic.json").read_text())["cases"]
FILES = FOLDER / "files"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = tmp_path_factory.mktemp("epic")
    return write_epic55(made / "epic55"), write_epic100(made / "epic100")


def epic55(folder, **settings):
    return EpicDataset(
        **{
            "video_dir": str(folder / "videos"),
            "annotations": str(folder / "EPIC_train_action_labels.csv"),
            "verb_classes": str(folder / "EPIC_verb_classes.csv"),
            "noun_classes": str(folder / "EPIC_noun_classes.csv"),
            "participants": {"train": [1, 25], "val": [26, 31]},
            "frames_fps": 30.0,
            "prior": True,
            **settings,
        }
    )


def epic100(folder, **settings):
    return EpicDataset(
        **{
            "video_dir": str(folder / "videos"),
            "annotations": str(folder / "EPIC_100_{split}.csv"),
            "verb_classes": str(folder / "EPIC_100_verb_classes.csv"),
            "noun_classes": str(folder / "EPIC_100_noun_classes.csv"),
            "split_files": {"val": "validation", "test": "test_timestamps"},
            "video_info": str(folder / "EPIC_100_video_info.csv"),
            "tail_verbs": str(folder / "EPIC_100_tail_verbs.csv"),
            "tail_nouns": str(folder / "EPIC_100_tail_nouns.csv"),
            "unseen": str(folder / "EPIC_100_unseen_participant_ids_{split}.csv"),
            "fps": 60.0,
            "bank_step": 60,
            "clips_inside": True,
            **settings,
        }
    )


def all_segments(videos):
    return [(one, *segment) for one, (_, _, segments) in videos.items() for segment in segments]


def drawn(split, item, seeds=range(60)):
    return [split.training_regions(item, torch.Generator().manual_seed(seed)) for seed in seeds]


def test_participants_make_the_papers_split_of_one_csv(folders):
    for data, videos in ((epic55(folders[0]).split("train"), TRAIN), (epic55(folders[0]).split("val"), VAL)):
        assert [item.keyframe.video_id for item in data.training_items()] == [one for one, *_ in all_segments(videos)]
    expected = json.loads((FILES / "expected.json").read_text())["epic55/EPIC_train_action_labels.csv"]
    official = epic55(FILES / "epic55", heads=["verb", "noun"])
    for name in ("train", "val"):
        tables = official.split(name).tables
        rows = zip(tables.segments, tables.frames.tolist(), *tables.labels.values(), strict=True)
        found = [[one.participant, one.video_id, *frames, verb, noun] for one, frames, verb, noun in rows]
        assert found == expected[name]
    columns = official.split("val").columns()
    assert (columns.number, columns.blocks, columns.has_background) == (477, {"verb": 125, "noun": 352}, False)
    assert (columns.names[124], columns.names[125]) == ("verb verb124", "noun noun0")


@pytest.mark.parametrize("case", SAMPLING, ids=lambda case: f"{case['num_frames']} {case['start']}")
def test_clips_are_the_papers(case, tmp_path):
    header = "uid,participant_id,video_id,start_timestamp,stop_timestamp,verb_class,noun_class\n"
    (tmp_path / "EPIC_train_action_labels.csv").write_text(
        header + f"7,P01,P01_01,{case['start']},{case['stop']},0,0\n"
    )
    split = epic55(tmp_path, heads=["verb"], verb_classes=str(FILES / "epic55" / "EPIC_verb_classes.csv")).split(
        "train"
    )
    assert split.tables.frames.tolist() == [[case["start_frame"], case["stop_frame"]]]
    item = Item(0, Keyframe("P01_01", case["test_center"]))
    assert split.test_items() == split.evaluation_items() == [item]
    frames = frames_around(case["test_center"], num_frames=case["num_frames"], length=32, stride=2)
    assert frames.tolist() == case["test_frames"]
    first, last = case["train_center_min"], case["train_center_max"]
    centers = {one.keyframe.timestamp for one in drawn(split, item, range(200))}
    assert first <= min(centers) <= max(centers) <= last
    if last - first < 12:
        assert centers == {*range(first, last + 1)}
