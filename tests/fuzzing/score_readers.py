"""The readers of scores and of Charades', EPIC-Kitchens' and Kinetics' annotations, with right files and what they say."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from lfb_lightning.ava.kinetics import read_kinetics_rows
from lfb_lightning.charades import read_annotations
from lfb_lightning.epic import read_segments
from lfb_lightning.files.npz import read_npz
from lfb_lightning.metrics.score_files import read_segment_scores, read_video_scores
from tests.fuzzing import forms
from tests.fuzzing.cases import Files, Reader, one, plain
from tests.fuzzing.mutators import Form, any_bytes


def _npz(compression: int, **arrays: np.ndarray) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, array in arrays.items():
            record = io.BytesIO()
            np.lib.format.write_array(record, array)
            archive.writestr(f"{name}.npy", record.getvalue())
    return file.getvalue()


def _records(content: bytes) -> list[Any]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [[info.filename, info.compress_type, archive.read(info)] for info in archive.infolist()]


def _zipped(records: Any) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, compression, content in records:
            archive.writestr(name, content, compression)
    return file.getvalue()


NPZ = Form(_records, _zipped)
_SCORES = np.array([[0.5, -1.0, 2.0], [0.25, 0.0, 1.0]])
_VIDEOS = {"video_id": np.array(["AB", "CD"]), "scores": _SCORES, "view": np.array([0, 0])}
_SEGMENTS = {"narration_id": np.array(["P01_01_0", "P01_01_1"]), "verb_output": _SCORES, "noun_output": _SCORES[:, :2]}
_SAID_OF_SEGMENTS = [["P01_01_0", "P01_01_1"], {"verb": _SCORES.tolist(), "noun": _SCORES[:, :2].tolist()}]
_CHARADES = (
    "id,subject,scene,quality,relevance,verified,script,objects,descriptions,actions,length\r\n"
    'AB,S1,Kitchen,6,7,Yes,"a, b",cup,c,c001 1.50 9.00;c000 0.00 30.25,30.50\r\nCD,,,,,,,,,,12.00\r\n'
)
_EPIC = (
    "narration_id,participant_id,video_id,start_timestamp,stop_timestamp,verb_class,noun_class,all_noun_classes\n"
    'P01_01_0,P01,P01_01,00:00:01.500,00:00:03.25,3,10,"[10, 2]"\nP02_01_1,P02,P02_01,00:01:00.00,01:00:00.5,0,1,[1]\n'
)
_CLIP = "abcdefghijk"


def _videos(name: str) -> Any:
    return lambda folder: plain(list(read_video_scores(folder / name)))


def _annotated(folder: Path) -> Any:
    found = read_annotations(folder / "a.csv", num_classes=3)
    return [[one.video_id, one.length, plain(one.intervals), one.subject, one.scene] for one in found]


def _kinetics(folder: Path) -> Any:
    found = read_kinetics_rows(folder / "a.csv")
    return [found.rows.astype({"video": str}).to_numpy().tolist(), found.without_people]


def _boxes(folder: Path) -> Files:
    return plain(read_npz(folder / "a.npz", what="scores", names=["boxes"], optional=["names"]))


SCORES = [
    Reader(
        "arrays, npz",
        [_boxes],
        lambda: [
            one(
                "a.npz",
                _npz(compression, boxes=_SCORES, names=np.array(["a", "bc"])),
                {"boxes": _SCORES.tolist(), "names": ["a", "bc"]},
                NPZ,
                any_bytes,
            )
            for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        ],
    ),
    Reader(
        "scores of videos, npz",
        [_videos("a.npz")],
        lambda: [one("a.npz", _npz(0, **_VIDEOS), [["AB", "CD"], [0, 0], _SCORES.tolist()], NPZ)],
    ),
    Reader(
        "scores of videos, text",
        [_videos("a.txt")],
        lambda: [one("a.txt", "AB 0.5 -1 2\nCD 0.25 0 1\n", [["AB", "CD"], [0, 0], _SCORES.tolist()], any_bytes)],
    ),
    Reader(
        "scores of videos, JSON",
        [_videos("a.json")],
        lambda: [
            one(
                "a.json",
                json.dumps({"AB": _SCORES[0].tolist(), "CD": [_SCORES[1].tolist()] * 2}),
                [["AB", "CD"], [0, 0], _SCORES.tolist()],
                forms.JSON,
                equal=False,
            )
        ],
    ),
    Reader(
        "scores of segments, npz",
        [lambda folder: plain(list(read_segment_scores(folder / "a.npz")))],
        lambda: [one("a.npz", _npz(8, **_SEGMENTS), _SAID_OF_SEGMENTS, NPZ)],
    ),
    Reader(
        "Charades' annotations",
        [_annotated],
        lambda: [
            one(
                "a.csv",
                _CHARADES,
                [["AB", 30.5, [[1, 1.5, 9.0], [0, 0.0, 30.25]], "S1", "Kitchen"], ["CD", 12.0, [], "", ""]],
                forms.CSV,
                equal=False,
            )
        ],
    ),
    Reader(
        "EPIC-Kitchens' annotations",
        [lambda folder: plain(list(read_segments(folder / "a.csv")))],
        lambda: [
            one(
                "a.csv",
                _EPIC,
                [
                    ["P01_01_0", "P01", "P01_01", 1.5, 3.25, 3, 10, [10, 2]],
                    ["P02_01_1", "P02", "P02_01", 60.0, 3600.5, 0, 1, [1]],
                ],
                forms.CSV,
                equal=False,
            )
        ],
    ),
    Reader(
        "Kinetics' annotations",
        [_kinetics],
        lambda: [
            one(
                "a.csv",
                f"{_CLIP},5.25,0.125,0.25,0.5,0.75,12\n{_CLIP},6\n",
                [[[_CLIP, 5.25, 0.125, 0.25, 0.5, 0.75, 12]], 1],
                forms.CSV,
                equal=False,
            )
        ],
    ),
]
