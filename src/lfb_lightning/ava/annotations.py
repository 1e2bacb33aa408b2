"""Ground truth: `video_id,timestamp,x1,y1,x2,y2,action_id,person_id`, one row per (box, action), no header.

Rows of one box (same keyframe, same coordinates, same person) become one person with several actions. Actions that
the label map does not list are dropped, but their keyframes remain annotated.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from lfb_lightning.ava.csv_rows import numbers, read_csv_rows
from lfb_lightning.ava.keyframe_rows import KeyframeRows, sort_by_keyframe
from lfb_lightning.ava.label_map import LabelMap
from lfb_lightning.errors import InputError
from lfb_lightning.structures import GroundTruth, Keyframe

COLUMNS = ["video_id", "timestamp", "x1", "y1", "x2", "y2", "action_id", "person_id"]
BOX_COLUMNS = ["x1", "y1", "x2", "y2"]


class Annotations:
    """Annotated persons by keyframe, and the flat rows that evaluation reads."""

    def __init__(self, rows: pd.DataFrame, label_map: LabelMap) -> None:
        """Take numeric rows with the columns above, in any order."""
        self.rows = rows
        self.label_map = label_map
        persons = sort_by_keyframe(rows)
        key = ["video_id", "timestamp", *BOX_COLUMNS, "person_id"]
        person_of_row = persons.groupby(key, sort=False).ngroup().to_numpy()
        first_rows = np.unique(person_of_row, return_index=True)[1]
        self._boxes = persons[BOX_COLUMNS].to_numpy(dtype=np.float64)[first_rows]
        self._labels = np.zeros((len(first_rows), label_map.num_columns), dtype=bool)
        listed = persons["action_id"].isin(label_map.ids).to_numpy()
        self._labels[person_of_row[listed], persons["action_id"].to_numpy()[listed]] = True
        self._keyframes = KeyframeRows(
            persons["video_id"].to_numpy(dtype=object)[first_rows], persons["timestamp"].to_numpy()[first_rows]
        )

    @property
    def keyframes(self) -> list[Keyframe]:
        """Annotated keyframes, sorted by video and time."""
        return self._keyframes.keyframes

    def __getitem__(self, keyframe: Keyframe) -> GroundTruth:
        """Persons of a keyframe; none for one without annotation."""
        rows = self._keyframes.rows(keyframe)
        return GroundTruth(boxes=self._boxes[rows], labels=self._labels[rows])

    def __contains__(self, keyframe: Keyframe) -> bool:
        return keyframe in self._keyframes

    def without(self, excluded: frozenset[Keyframe]) -> Annotations:
        """The same without the rows of the excluded keyframes."""
        if not excluded:
            return self
        pairs = pd.MultiIndex.from_tuples([(keyframe.video_id, keyframe.timestamp) for keyframe in excluded])
        dropped = pd.MultiIndex.from_frame(self.rows[["video_id", "timestamp"]]).isin(pairs)
        return Annotations(self.rows[~dropped].reset_index(drop=True), self.label_map)


def read_annotations(path: str | Path, label_map: LabelMap) -> Annotations:
    """Read an AVA annotation csv; raises InputError with file and row for anything that is not one."""
    table = read_csv_rows(path, COLUMNS, what="annotations", optional=1)
    rows = pd.DataFrame({"video_id": table["video_id"]})
    rows["timestamp"] = numbers(table, "timestamp", path, integer=True)
    for column in BOX_COLUMNS:
        rows[column] = numbers(table, column, path)
    rows["action_id"] = numbers(table, "action_id", path, integer=True)
    if table["person_id"].isna().any():  # the first v2.1 files have seven columns
        table["person_id"] = table["person_id"].fillna("0")
    rows["person_id"] = numbers(table, "person_id", path, integer=True)
    _check_boxes(rows, path)
    return Annotations(rows, label_map)


def write_annotations(path: str | Path, rows: Iterable[tuple[Keyframe, tuple[float, ...], int, int]]) -> None:
    """Write (keyframe, normalised xyxy box, action id, person id) rows in AVA's form: 3 decimals, seconds of 4 digits."""
    with Path(path).open("w", encoding="utf-8") as file:
        for keyframe, box, action_id, person_id in rows:
            file.write(f"{keyframe},{','.join(f'{value:.3f}' for value in box)},{action_id},{person_id}\n")


def _check_boxes(rows: pd.DataFrame, path: str | Path) -> None:
    inverted = (rows["x2"] < rows["x1"]) | (rows["y2"] < rows["y1"])
    if inverted.any():
        row = int(np.flatnonzero(inverted.to_numpy())[0])
        box = rows.loc[row, BOX_COLUMNS].tolist()
        raise InputError(f"annotations {path}, row {row + 1}: box {box} has x2 < x1 or y2 < y1; expected x1,y1,x2,y2.")
