"""The readers of tables and pickles, with right files and what they say."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lfb_lightning.ava.annotations import read_annotations
from lfb_lightning.ava.evaluation_csv import KEYS_PER_VIDEO, read_evaluation_csv
from lfb_lightning.ava.excluded import read_excluded
from lfb_lightning.ava.label_map import LabelMap, read_label_map
from lfb_lightning.ava.proposals import read_proposals
from lfb_lightning.files.array_pickle import load_arrays
from tests.fuzzing import forms
from tests.fuzzing.cases import Reader, one, plain, seed

# -- tables

_LABELS = LabelMap({1: "walk", 2: "sit"})
_BOX = [0.125, 0.25, 0.5, 0.75]
_ROWS = "a,0902,0.125,0.25,0.5,0.75,1,0\na,0902,0.125,0.25,0.5,0.75,2,0\nb-1,0903,0,0,1,1,1,4\n"


def _annotations(folder: Path) -> Any:
    found = read_annotations(folder / "a.csv", _LABELS)
    return [[*key, found[key].boxes.tolist(), found[key].labels.tolist()] for key in found.keyframes]


def _evaluation(folder: Path) -> Any:
    table = read_evaluation_csv(folder / "a.csv")
    moments = [(table.video_ids[key // KEYS_PER_VIDEO], key % KEYS_PER_VIDEO) for key in table.keys.tolist()]
    rows = zip(table.frames, table.classes, table.scores, table.box_of_row, strict=True)
    return sorted([*moments[f], int(c), float(s), table.boxes[b].tolist()] for f, c, s, b in rows)


def proposals(name: str) -> Callable[[Path], Any]:
    def read(folder: Path) -> Any:
        images = folder / "images.json"
        table = read_proposals(folder / name, images=images if images.exists() else None)
        return [
            [*key, plain(table.above(key, -1e9).boxes), plain(table.above(key, -1e9).scores)] for key in table.keyframes
        ]

    return read


_SECOND = KEYS_PER_VIDEO // 2 + 902_000_000
FOUND = [["a", 902, [_BOX, [0.0, 0.0, 1.0, 1.0]], [0.75, 0.5]], ["b", 903, [_BOX], [0.25]]]
_DENSE = {"a,0902": np.array([[0, 0, 1, 1, 0.5], [*_BOX, 0.75]]), "b,0903": np.array([[*_BOX, 0.25]], np.float32)}
_PERSONS = [[{"bounding_box": box, "label": [1], "score": s} for box, s in zip(k[2], k[3], strict=True)] for k in FOUND]
_ACAR = (
    [{"video": k[0], "time": f"{k[1]:04}", "labels": p} for k, p in zip(FOUND, _PERSONS, strict=True)],
    {1: "walk"},
)
_SIZES = np.array([200, 100, 200, 100])
_DETECTIONS = [
    {"image_id": image, "bbox": [*corners[:2], *(corners[2:] - corners[:2])], "score": score, "category_id": 1}
    for image, keyframe in enumerate(FOUND)
    for box, score in zip(keyframe[2], keyframe[3], strict=True)
    for corners in [(np.array(box) * _SIZES)]
]
_IMAGES = [{"id": i, "movie": k[0], "timestamp": k[1], "width": 200, "height": 100} for i, k in enumerate(FOUND)]
_NAMED = [{"id": i, "file_name": f"{k[0]}/{k[1]:05}.jpg", "width": 200, "height": 100} for i, k in enumerate(FOUND)]
_LABEL_MAP = 'item {\n  name: "walk"\n  id: 1\n}\nitem {\n  name: "sit down (e.g., on a chair)"\n  id: 12\n}\n'
_ACTIVITYNET = 'label {\n  name: "walk"\n  label_id: 1\n  label_type: PERSON_MOVEMENT\n}\n'


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


TABLES = [
    Reader(
        "annotations",
        [_annotations],
        lambda: [
            one(
                "a.csv",
                _ROWS,
                [["a", 902, [_BOX], [[False, True, True]]], ["b-1", 903, [[0.0, 0, 1, 1]], [[False, True, False]]]],
                forms.CSV,
            ),
            one(
                "a.csv",
                "a,0902\nb,0902,0.125,0.25,0.5,0.75,1\n",
                [["a", 902, [], []], ["b", 902, [_BOX], [[False, True, False]]]],
                forms.CSV,
            ),
        ],
    ),
    Reader(
        "excluded timestamps",
        [lambda folder: sorted(map(list, read_excluded(folder / "a.csv")))],
        lambda: [one("a.csv", "a,0902\na,0903\n0123,1\n", [["0123", 1], ["a", 902], ["a", 903]], forms.CSV)],
    ),
    Reader(
        "results and evaluation csv",
        [_evaluation],
        lambda: [
            one(
                "a.csv",
                "a,0902,0.125,0.25,0.5,0.75,1,0.75\na,902.5,0.125,0.25,0.5,0.75,2\n",
                [["a", _SECOND, 1, 0.75, _BOX], ["a", _SECOND + 500_000, 2, 1.0, _BOX]],
                forms.CSV,
            ),
            one("a.csv", "a,0902,0.125,0.25,0.5,0.75,1,0.75\n", [["a", _SECOND, 1, 0.75, _BOX]], forms.CSV),
        ],
    ),
    Reader(
        "proposals, csv",
        [proposals("a.csv")],
        lambda: [
            one(
                "a.csv",
                "a,0902,0,0,1,1,,0.5\na,0902,0.125,0.25,0.5,0.75,3,0.75\nb,0903,0.125,0.25,0.5,0.75,,0.25\n",
                FOUND,
                forms.CSV,
            )
        ],
    ),
    Reader(
        "proposals, FAIR's pickle",
        [proposals("a.pkl")],
        lambda: [one("a.pkl", pickle.dumps(_DENSE), FOUND, forms.PICKLE, forms.spoilt_pickle)],
    ),
    Reader(
        "proposals, ACAR's pickle",
        [proposals("a.pkl")],
        lambda: [one("a.pkl", pickle.dumps(_ACAR), FOUND, forms.PICKLE, forms.spoilt_pickle)],
    ),
    Reader(
        "proposals, COCO and AlphAction",
        [proposals("a.json")],
        lambda: [
            one("a.json", _json({"images": _NAMED, "annotations": _DETECTIONS, "info": {}}), FOUND, forms.JSON),
            seed(
                {"a.json": _json(_DETECTIONS), "images.json": _json({"images": _IMAGES})},
                [FOUND],
                ("a.json", forms.JSON),
                ("images.json", forms.JSON),
            ),
        ],
    ),
    Reader(
        "label map",
        [lambda folder: read_label_map(folder / "a.pbtxt").names],
        lambda: [
            one("a.pbtxt", _LABEL_MAP, {1: "walk", 12: "sit down (e.g., on a chair)"}, forms.LABEL_MAP),
            one("a.pbtxt", _ACTIVITYNET, {1: "walk"}, forms.LABEL_MAP),
        ],
    ),
    Reader(
        "pickle of arrays",
        [lambda folder: plain(load_arrays(folder / "a.pkl", what="bank"))],
        lambda: [
            one("a.pkl", pickle.dumps(value), plain(value), forms.PICKLE, forms.spoilt_pickle) for value in _OBJECTS
        ],
    ),
]
_OBJECTS: list[Any] = [
    {"a": np.arange(6.0, dtype="f2").reshape(2, 3), "b": [1, -2.5, None, True, b"\x80x"], "c": {"d": "é", 3: 10**20}},
    {
        "words": np.array(["a", "bc"]),
        "big": np.arange(3, dtype=">i8"),
        "one": np.float32(0.5),
        "none": b"",
        "f": np.asfortranarray(np.eye(3)),
    },
]
