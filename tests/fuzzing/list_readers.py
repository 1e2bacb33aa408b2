"""The files of a split of EPIC-Kitchens and of Charades, as the data sets read them together, and boxes of objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from lfb_lightning.charades import read_frame_list
from lfb_lightning.datasets.charades.dataset import CharadesDataset
from lfb_lightning.datasets.epic.dataset import EpicDataset
from lfb_lightning.persons.object_boxes import ObjectBoxes
from tests.fuzzing import forms
from tests.fuzzing.cases import Reader, Seed, one, plain, seed

_EPIC = {
    "a.csv": "narration_id,participant_id,video_id,start_timestamp,stop_timestamp,verb_class,noun_class\n"
    "P01_01_0,P01,P01_01,00:00:01.50,00:00:03.25,1,0\nP02_01_1,P02,P02_01,00:00:00.00,00:00:00.50,0,1\n",
    "verbs.csv": "id,key\n0,take\n1,put\n",
    "nouns.csv": "noun_id,class_key\n0,cup\n1,pan\n",
    "info.csv": "video_id,duration,fps\nP01_01,4,60\nP02_01,2.5,50\n",
    "tail_verbs.csv": "verb\n1\n",
    "tail_nouns.csv": "noun\n0\n",
    "unseen.csv": "participant_id\nP02\n",
}
_CHARADES = {
    "a.csv": "id,actions,length\nAB,c001 0.00 1.00;c000 0.50 9.00,1.00\nCD,,2.00\n",
    "classes.txt": "c000 Holding a cup\nc001 Sitting\n",
    "frames.csv": "original_vido_id video_id frame_id path labels\n"
    'AB 0 0 x/1.jpg "1"\nAB 0 1 x/2.jpg "0,1"\nAB 0 2 x/3.jpg ""\nCD 1 0 y/1.jpg ""\n',
}
_BOXES = "a,0001,0.125,0.25,0.5,0.75,,0.75\na,0001,0,0,1,1,,0.25\n"


def _epic(folder: Path) -> Any:
    data = EpicDataset(
        video_dir=str(folder / "videos"),
        annotations=str(folder / "a.csv"),
        verb_classes=str(folder / "verbs.csv"),
        noun_classes=str(folder / "nouns.csv"),
        video_info=str(folder / "info.csv"),
        tail_verbs=str(folder / "tail_verbs.csv"),
        tail_nouns=str(folder / "tail_nouns.csv"),
        unseen=str(folder / "unseen.csv"),
        prior=True,
        source="frames",
        frames_fps="listed",
    )
    split = data.split("val")
    regions = [split.training_regions(item, torch.Generator()).labels for item in split.training_items()]
    split.check()
    split.evaluator(action_threshold=None)
    return [plain(regions), [list(keyframe) for keyframe in split.bank_keyframes("all")]]


def _charades(folder: Path) -> Any:
    data = CharadesDataset(
        video_dir=str(folder / "videos"),
        annotations=str(folder / "a.csv"),
        label_map=str(folder / "classes.txt"),
        frame_list=str(folder / "frames.csv"),
        bank_step=2,
    )
    split = data.split("val")
    regions = [split.training_regions(item, torch.Generator()).labels for item in split.training_items()]
    split.check()
    return [plain(regions), [list(keyframe) for keyframe in split.bank_keyframes("all")]]


def _frames(folder: Path) -> Any:
    found = read_frame_list(folder / "frames.csv")
    return [[video.video_id, video.number, plain(video.frame_labels)] for video in found]


def _objects(folder: Path) -> Any:
    table = ObjectBoxes(file=str(folder / "a.csv"), rate=1).read("val")
    return [[*key, plain(table.above(key, 0.5).boxes), plain(table.above(key, 0.5).scores)] for key in table.keyframes]


def _together(files: dict[str, str], says: list[Any]) -> list[Seed]:
    content = {name: text.encode() for name, text in files.items()}
    return [seed(content, says, *((name, forms.CSV) for name in files), equal=False)]


LISTS = [
    Reader(
        "EPIC-Kitchens' files together",
        [_epic],
        lambda: _together(
            _EPIC,
            [
                [
                    [[[False, True, True, False]], [[True, False, False, True]]],
                    [["P01_01", 30 * n] for n in range(1, 5)] + [["P02_01", 30], ["P02_01", 60]],
                ]
            ],
        ),
    ),
    Reader(
        "Charades' files together",
        [_charades],
        lambda: _together(_CHARADES, [[[[[True, True]]], [["AB", 1]]]]),
    ),
    Reader(
        "Charades' frame list",
        [_frames],
        lambda: [
            one(
                "frames.csv",
                _CHARADES["frames.csv"],
                [["AB", 0, [[1], [0, 1], []]], ["CD", 1, [[]]]],
                forms.tokens(r"([ ,\n])"),
            )
        ],
    ),
    Reader(
        "boxes of objects",
        [_objects],
        lambda: [one("a.csv", _BOXES, [["a", 1, [[0.125, 0.25, 0.5, 0.75]], [0.75]]], forms.CSV)],
    ),
]
