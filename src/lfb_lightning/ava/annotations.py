"""Ground truth: `video_id,timestamp,x1,y1,x2,y2,action_id,person_id`, one row per (box, action), no header.

Rows of one box (same keyframe, same coordinates, same person) become one person with several actions. Actions that
the label map does not list are dropped, but their keyframes remain annotated. So is the keyframe of a row of two columns,
`video_id,timestamp`, in which nobody is: nothing to train on, but whatever is detected there is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int64, UInt64

from lfb_lightning.ava.box_rules import BOX_COLUMNS, box_fault
from lfb_lightning.ava.csv_rows import (
    have_two_columns,
    join_blocks,
    name_row,
    number_columns,
    parse_whole_rows,
    read_csv_blocks,
)
from lfb_lightning.ava.keyframe_rows import KeyframeRows, keyframe_keys, keys_of, number_videos, stable_order
from lfb_lightning.ava.label_map import LabelMap
from lfb_lightning.clock import SECONDS, Clock
from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import durable_file
from lfb_lightning.structures import GroundTruth, Keyframe

COLUMNS = ["video_id", "timestamp", "x1", "y1", "x2", "y2", "action_id", "person_id"]
_INTEGERS = ["timestamp", "action_id", "person_id"]
_MOST_LABELS = 1 << 30  # bytes; AVA's take 30 MB
_ODD = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: spreads bits


class Annotations:
    """Annotated persons by keyframe, and the flat rows that evaluation reads."""

    def __init__(self, rows: pd.DataFrame, label_map: LabelMap, empty: pd.DataFrame | None = None) -> None:
        """Take the rows of a file in any order.

        Args:
            rows: Numbers in the columns above; timestamps in ticks of the data set's clock.
            label_map: The actions.
            empty: The keyframes without a person, `video_id` and `timestamp`.
        """
        self.rows = rows
        self.empty = rows.iloc[:0][COLUMNS[:2]] if empty is None else empty
        self.label_map = label_map
        self._video_ids, videos = number_videos(self.moments["video_id"])
        keys = keyframe_keys(videos, self.moments["timestamp"].to_numpy())
        self._keys, self._empty_keys = keys[: len(rows)], keys[len(rows) :]

    @cached_property
    def moments(self) -> pd.DataFrame:
        """List `video_id` and `timestamp` of all rows, those of two columns last."""
        moments = self.rows[COLUMNS[:2]]
        return pd.concat([moments, self.empty], ignore_index=True) if len(self.empty) else moments

    @property
    def keyframes(self) -> list[Keyframe]:
        """Annotated keyframes, sorted by video and time."""
        return self.persons.keyframes

    @property
    def num_persons(self) -> int:
        """The number of annotated persons, over all keyframes."""
        return len(self._tables[0])

    @property
    def boxes(self) -> np.ndarray:
        """Every annotated box, `[P, 4]` normalized xyxy, in the order of `persons`."""
        return self._tables[0]

    @property
    def persons_by_action(self) -> Int64[np.ndarray, " A"]:
        """Count the persons that show each action, by its id."""
        return self._tables[1].sum(axis=0)

    @property
    def persons(self) -> KeyframeRows:
        """Which rows of `boxes` are a keyframe's."""
        return self._tables[2]

    @cached_property
    def labeled(self) -> Bool[np.ndarray, " K"]:
        """Say of each keyframe whether it has a listed action."""
        filled = self.persons.counts > 0
        labeled = np.zeros(len(filled), dtype=bool)
        if self.num_persons:
            labeled[filled] = np.logical_or.reduceat(self._tables[1].any(axis=1), self.persons.starts[filled])
        return labeled

    def __getitem__(self, keyframe: Keyframe) -> GroundTruth:
        """Give the persons of a keyframe; none for one without annotation."""
        boxes, labels, persons = self._tables
        rows = persons.rows(keyframe)
        return GroundTruth(boxes=boxes[rows], labels=labels[rows])

    def __contains__(self, keyframe: Keyframe) -> bool:
        return keyframe in self.persons

    def without(self, excluded: frozenset[Keyframe]) -> Annotations:
        """Copy the annotations without the rows of the excluded keyframes."""
        keys = keys_of(excluded, self._video_ids)
        kept, kept_empty = ~np.isin(self._keys, keys), ~np.isin(self._empty_keys, keys)
        if kept.all() and kept_empty.all():
            return self
        return Annotations(self.rows[kept].reset_index(drop=True), self.label_map, self.empty[kept_empty])

    @cached_property
    def _tables(self) -> tuple[np.ndarray, np.ndarray, KeyframeRows]:
        order = stable_order(self._keys)
        keys = self._keys[order]
        columns = [self.rows[name].to_numpy()[order] for name in [*BOX_COLUMNS, "person_id"]]
        person_of_row = _number_equal_rows([keys, *columns])
        first_rows = np.full(int(person_of_row.max(initial=-1)) + 1, len(keys))
        first_rows[person_of_row[::-1]] = np.arange(len(keys))[::-1]
        boxes = np.stack([column[first_rows].astype(np.float64) for column in columns[:4]], axis=1)
        labels = np.zeros((len(first_rows), self.label_map.num_columns), dtype=bool)
        actions = self.rows["action_id"].to_numpy()[order]
        listed = np.isin(actions, self.label_map.ids)
        labels[person_of_row[listed], actions[listed]] = True
        return boxes, labels, KeyframeRows(self._video_ids, keys[first_rows], self._empty_keys)


def read_annotations(path: str | Path, label_map: LabelMap, *, clock: Clock = SECONDS) -> Annotations:
    """Read an AVA annotation csv.

    Args:
        path: The file; its timestamps are seconds, with or without a fraction.
        label_map: The actions that are used; rows of others only say that their keyframe is annotated.
        clock: The data set's clock, whose ticks the keyframes count.

    Raises:
        InputError: With file and row for anything that is not such a file, a second without a tick included.
    """
    rows, empty = parse_whole_rows(path, COLUMNS, integers=_INTEGERS, clock=clock), None
    if rows is None:
        rows, empty = _unusual_rows(path, clock)
    if len(rows) * label_map.num_columns > _MOST_LABELS:
        raise InputError(
            f"annotations {path}: {len(rows)} rows of {label_map.num_columns} columns, one for each id, take more than "
            f"{_MOST_LABELS >> 20} MB; number the label map's actions from 1 without gaps."
        )
    fault = box_fault([rows[name].to_numpy() for name in BOX_COLUMNS])
    if fault is not None:
        place, text = fault
        raise InputError(f"annotations {path}, {name_row(path, int(rows.index[place]))}: {text}.")
    return Annotations(rows.reset_index(drop=True), label_map, empty)


def no_annotations(label_map: LabelMap) -> Annotations:
    """Make the ground truth of a split that nobody has annotated."""
    rows = pd.DataFrame(
        {"video_id": pd.Series(dtype="category")} | {name: pd.Series(dtype=float) for name in COLUMNS[1:]}
    )
    return Annotations(rows.astype(dict.fromkeys(_INTEGERS, np.int64)), label_map)


def _unusual_rows(path: str | Path, clock: Clock) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read rows of persons, and of two columns; the last column may be missing, as in the first v2.1 files."""
    persons, nobody = [], []
    for table in read_csv_blocks(path, COLUMNS, what="annotations", widths={2, 7, 8}):
        empty = have_two_columns(table)
        persons.append(number_columns(table[~empty].replace({"person_id": {"": "0"}}), path, _INTEGERS, clock))
        nobody.append(number_columns(table.loc[empty, COLUMNS[:2]], path, _INTEGERS, clock))
    return join_blocks(persons), join_blocks(nobody)


def write_annotations(
    path: str | Path, rows: Iterable[tuple[Keyframe, tuple[float, ...], int, int]], *, clock: Clock = SECONDS
) -> None:
    """Write rows in AVA's form: coordinates of 3 decimals, seconds of 4 digits.

    Args:
        path: The file.
        rows: Keyframe, normalized xyxy box, action id and person id.
        clock: The clock of the keyframes.
    """
    with durable_file(Path(path)) as file:
        for keyframe, box, action_id, person_id in rows:
            corners = ",".join(f"{value:.3f}" for value in box)
            second = clock.text(keyframe.timestamp)
            file.write(f"{keyframe.video_id},{second},{corners},{action_id},{person_id}\n".encode())


def _number_equal_rows(columns: list[np.ndarray]) -> Int64[np.ndarray, " N"]:
    """A number for each row, the same for rows equal in every column, counted by first appearance.

    Through a 64-bit hash, seven times quicker than grouping by seven columns; should two different rows share a hash,
    they are grouped by the columns after all.
    """
    mixed: UInt64[np.ndarray, " N"] = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        bits = (column + 0.0 if column.dtype.kind == "f" else column.astype(np.int64)).view(np.uint64)  # + 0.0: no -0.0
        mixed = (mixed ^ bits) * _ODD
        mixed ^= mixed >> np.uint64(29)
    numbers = pd.factorize(mixed)[0].astype(np.int64)
    first = np.full(int(numbers.max(initial=-1)) + 1, len(numbers))
    first[numbers[::-1]] = np.arange(len(numbers))[::-1]
    if all(bool((column == column[first[numbers]]).all()) for column in columns):
        return numbers
    table = pd.DataFrame(dict(enumerate(columns)))
    return table.groupby(list(table.columns), sort=False).ngroup().to_numpy()
