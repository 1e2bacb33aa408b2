"""Reads csv files as the official evaluator does, whichever tool wrote them; what it could not read is refused by row.

Rows have 8 columns; 7 leave the score to be 1; 2 (`video_id,timestamp`) mark a keyframe that is scored though nobody is
in it. Timestamps may be fractional and padded: `902`, `0902` and `902.000000` are one keyframe.

Files hold millions of rows, so they are read a block at a time into narrow columns, and a box that repeats that of the
row before is kept once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int

from lfb_lightning.ava.csv_rows import have_two_columns, numbers, parse_whole_blocks, read_csv_blocks
from lfb_lightning.clock import SECOND_LIMIT, SECONDS
from lfb_lightning.errors import InputError

_COLUMNS = ["video_id", "timestamp", "x1", "y1", "x2", "y2", "action_id", "score"]
_BOX = ["x1", "y1", "x2", "y2"]
KEYS_PER_VIDEO = 1 << 44  # microseconds: 200 days


@dataclass(frozen=True, slots=True)
class EvaluationTable:
    """The rows of a file in columns.

    Args:
        video_ids: The videos.
        keys: Each keyframe: (place in `video_ids`) x 2^44 + 2^43 + its time in microseconds, the official tool's resolution.
        frames: The place in `keys` of each row's keyframe.
        classes: The action id of each row.
        scores: The eighth column of each row.
        box_of_row: The place in `boxes` of each row's box.
        boxes: Distinct boxes, xyxy.
        marked: The places in `keys` of keyframes that have a row of two columns.
    """

    video_ids: list[str]
    keys: Int[np.ndarray, " F"]
    frames: Int[np.ndarray, " N"]
    classes: Int[np.ndarray, " N"]
    scores: Float64[np.ndarray, " N"]
    box_of_row: Int[np.ndarray, " N"]
    boxes: Float64[np.ndarray, "M 4"]
    marked: Int[np.ndarray, " K"]

    def keys_among(self, video_ids: dict[str, int]) -> Int[np.ndarray, " F"]:
        """Number the videos of `keys` by `video_ids`, which is extended by new ones."""
        places = np.array([video_ids.setdefault(name, len(video_ids)) for name in self.video_ids], dtype=np.int64)
        videos, moments = np.divmod(self.keys, KEYS_PER_VIDEO)
        return places[videos] * KEYS_PER_VIDEO + moments


class _Columns:
    """Columns that grow block by block."""

    def __init__(self) -> None:
        self._videos: dict[str, int] = {}
        self._frames: dict[int, int] = {}
        self._parts: dict[str, list[np.ndarray]] = {
            name: [] for name in ("frames", "classes", "scores", "box_of_row", "boxes")
        }
        self._num_boxes = 0

    def frames(self, video_ids: pd.Series, timestamps: np.ndarray, path: str | Path) -> np.ndarray:
        """The rows' frames; new ones are numbered."""
        ids = video_ids.astype("category").cat
        places = np.array([self._videos.setdefault(str(name), len(self._videos)) for name in ids.categories])
        keys = places.astype(np.int64)[ids.codes.to_numpy()] * KEYS_PER_VIDEO + _microseconds(timestamps, path)
        codes, distinct = pd.factorize(keys)
        return np.array([self._frames.setdefault(key, len(self._frames)) for key in distinct.tolist()], np.int32)[codes]

    def add(self, rows: pd.DataFrame, path: str | Path) -> None:
        """Add numeric rows of all columns."""
        boxes = rows[_BOX].to_numpy(dtype=np.float64)
        new = np.ones(len(rows), dtype=bool)
        new[1:] = (boxes[1:] != boxes[:-1]).any(axis=1)
        classes = rows["action_id"].to_numpy(dtype=np.int64)
        parts = self._parts
        parts["frames"].append(self.frames(rows["video_id"], rows["timestamp"].to_numpy(dtype=np.float64), path))
        parts["classes"].append(np.clip(classes, -1, 2**15 - 1).astype(np.int16))  # no label map goes that far
        parts["scores"].append(rows["score"].to_numpy(dtype=np.float64))
        parts["box_of_row"].append((np.cumsum(new) - 1 + self._num_boxes).astype(np.int32))
        parts["boxes"].append(boxes[new])
        self._num_boxes += int(new.sum())

    def table(self, marked: np.ndarray) -> EvaluationTable:
        """The finished table; each column's parts are let go as they are joined."""
        types = {"frames": np.int32, "classes": np.int16, "scores": np.float64, "box_of_row": np.int32}
        joined = {name: np.concatenate([np.zeros(0, kind), *self._parts.pop(name)]) for name, kind in types.items()}
        boxes = np.concatenate([np.zeros((0, 4)), *self._parts.pop("boxes")])
        keys = np.fromiter(self._frames, np.int64, len(self._frames))
        return EvaluationTable(list(self._videos), keys, **joined, boxes=boxes, marked=marked)


def read_evaluation_csv(path: str | Path) -> EvaluationTable:
    """Read ground truth (8th column: person id) or detections (score).

    Args:
        path: The file; its timestamps are seconds, with or without a fraction, whatever clock the data set has.

    Raises:
        InputError: Naming file and row, for what the official evaluator could not read either.
    """
    columns = _Columns()
    if parse_whole_blocks(path, _COLUMNS, integers=["action_id"], add=lambda rows: columns.add(rows, path)):
        return columns.table(np.zeros(0, np.int32))
    return _read_unusual(path)


def _read_unusual(path: str | Path) -> EvaluationTable:
    columns, marked = _Columns(), [np.zeros(0, np.int32)]
    for table in read_csv_blocks(path, _COLUMNS, what="csv", widths={2, 7, 8}):
        timestamps = numbers(table, "timestamp", path)
        boxless = have_two_columns(table)
        rows = table[~boxless]
        numeric = pd.DataFrame({"video_id": rows["video_id"], "timestamp": timestamps[~boxless]})
        for column in _BOX:
            numeric[column] = numbers(rows, column, path)
        numeric["action_id"] = numbers(rows, "action_id", path, integer=True)
        numeric["score"] = numbers(rows.replace({"score": {"": "1.0"}}), "score", path)
        columns.add(numeric, path)
        marked.append(columns.frames(table["video_id"][boxless], timestamps[boxless], path))
    return columns.table(np.unique(np.concatenate(marked)))


def _microseconds(timestamps: np.ndarray, path: str | Path) -> np.ndarray:
    """2^43 plus the timestamps as the official tool writes them, with six decimals."""
    if bool((np.abs(timestamps) >= SECOND_LIMIT).any()):
        worst = float(timestamps[np.abs(timestamps).argmax()])
        raise InputError(f"{path}: timestamp is {worst:.15g}, {SECONDS.expected(worst)}.")
    distinct, index = np.unique(timestamps, return_inverse=True)
    texts = [f"{value:.6f}" for value in distinct.tolist()]
    return (np.array([int(text.replace(".", "")) for text in texts], dtype=np.int64) + KEYS_PER_VIDEO // 2)[index]
