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
from jaxtyping import Bool, Int, Int64, UInt8

from lfb_lightning.ava.box_rules import BOX_COLUMNS, box_fault
from lfb_lightning.ava.csv_rows import (
    have_two_columns,
    join_blocks,
    name_row,
    number_columns,
    parse_whole_blocks,
    read_csv_blocks,
)
from lfb_lightning.ava.equal_rows import narrowed, number_equal_rows
from lfb_lightning.ava.keyframe_rows import KeyframeList, KeyframeRows, keyframe_keys, number_videos, stable_order
from lfb_lightning.ava.label_map import LabelMap
from lfb_lightning.ava.person_rows import PersonRows, join_person_rows, person_rows
from lfb_lightning.clock import SECONDS, Clock
from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import durable_file
from lfb_lightning.structures import GroundTruth, Keyframe

COLUMNS = ["video_id", "timestamp", "x1", "y1", "x2", "y2", "action_id", "person_id"]
_INTEGERS = ["timestamp", "action_id", "person_id"]
_MOST_LABELS = 1 << 30  # bytes; AVA's take 30 MB


class Annotations:
    """Annotated persons by keyframe, and the flat rows that evaluation reads.

    What is kept at AVA's 80 actions is 51 bytes per person and 5 per row: a row is its person and its action, as the rest is
    its person's.
    """

    def __init__(self, rows: PersonRows, label_map: LabelMap, empty: pd.DataFrame | None = None) -> None:
        """Take the rows of a file in any order.

        Args:
            rows: What `person_rows` makes of numbers in the columns above; timestamps in ticks of the data set's clock.
            label_map: The actions.
            empty: The keyframes without a person, `video_id` and `timestamp`.
        """
        self.label_map = label_map
        persons = rows.persons
        moments = persons[COLUMNS[:2]]
        if empty is not None and len(empty):
            moments = pd.concat([moments, empty[COLUMNS[:2]]], ignore_index=True)
        video_ids, videos = number_videos(moments["video_id"])
        keys = keyframe_keys(videos, moments["timestamp"].to_numpy())
        keys, self._empty_keys = keys[: len(persons)], np.sort(keys[len(persons) :])
        order = stable_order(keys)
        columns = [persons[name].to_numpy()[order] for name in [*BOX_COLUMNS, "person_id"]]
        numbers, first_rows = number_equal_rows([keys[order], *columns])
        self._boxes = np.stack([column[first_rows].astype(np.float64) for column in columns[:4]], axis=1)
        self._person_ids: Int64[np.ndarray, " P"] = columns[4][first_rows].astype(np.int64)
        places = np.empty(len(persons), dtype=np.int32)
        places[order] = numbers
        self._person_of_row = places[rows.person_of_row]
        self._actions = narrowed(rows.actions)
        self._labels = self._packed_labels()
        self.persons = KeyframeRows(video_ids, keys[order][first_rows], self._empty_keys)

    @property
    def rows(self) -> pd.DataFrame:
        """Make the rows as they were read: columns of their own, which are not kept."""
        persons = self._person_of_row
        table = self._moments(np.repeat(np.arange(len(self.persons)), self.persons.counts)[persons])
        boxes = {name: self._boxes[persons, corner] for corner, name in enumerate(BOX_COLUMNS)}
        rest = {"action_id": self._actions.astype(np.int64), "person_id": self._person_ids[persons]}
        return table.assign(**boxes, **rest)

    @property
    def empty(self) -> pd.DataFrame:
        """Make the rows of two columns, each once: the keyframes without a person."""
        return self._moments(np.searchsorted(self.persons.keys, np.unique(self._empty_keys)))

    @property
    def moments(self) -> pd.DataFrame:
        """Make `video_id` and `timestamp` of all rows, those of two columns last."""
        return pd.concat([self.rows[COLUMNS[:2]], self.empty], ignore_index=True)

    def _moments(self, places: Int[np.ndarray, " N"]) -> pd.DataFrame:
        names = pd.Index(self.persons.video_ids, dtype=object)
        ids = pd.Categorical.from_codes(self.persons.videos[places], categories=names)
        return pd.DataFrame({"video_id": ids, "timestamp": self.persons.timestamps[places]})

    @property
    def keyframes(self) -> KeyframeList:
        """Annotated keyframes, sorted by video and time."""
        return self.persons.keyframes

    @property
    def num_rows(self) -> int:
        """The number of rows with a person."""
        return len(self._person_of_row)

    @property
    def num_persons(self) -> int:
        """The number of annotated persons, over all keyframes."""
        return len(self._boxes)

    @property
    def boxes(self) -> np.ndarray:
        """Every annotated box, `[P, 4]` normalized xyxy, in the order of `persons`."""
        return self._boxes

    @property
    def persons_by_action(self) -> Int64[np.ndarray, " A"]:
        """Count the persons that show each action, by its id."""
        return self._unpacked(slice(None)).sum(axis=0)

    @cached_property
    def labeled(self) -> Bool[np.ndarray, " K"]:
        """Say of each keyframe whether it has a listed action."""
        filled = self.persons.counts > 0
        labeled = np.zeros(len(filled), dtype=bool)
        if self.num_persons:
            labeled[filled] = np.logical_or.reduceat(self._labels.any(axis=1), self.persons.starts[filled])
        return labeled

    def __getitem__(self, keyframe: Keyframe) -> GroundTruth:
        """Give the persons of a keyframe; none for one without annotation."""
        rows = self.persons.rows(keyframe)
        return GroundTruth(boxes=self._boxes[rows], labels=self._unpacked(rows))

    def __contains__(self, keyframe: Keyframe) -> bool:
        return keyframe in self.persons

    def without(self, excluded: frozenset[Keyframe]) -> Annotations:
        """Copy the annotations without the rows of the excluded keyframes."""
        left_out = self.persons.found_in(excluded)
        if not left_out.any():
            return self
        kept_empty = ~np.isin(self._empty_keys, self.persons.keys[left_out])
        kept = np.repeat(~left_out, self.persons.counts)
        kept_rows = kept[self._person_of_row]
        copy = object.__new__(Annotations)
        copy.label_map = self.label_map
        copy._boxes, copy._person_ids, copy._labels = self._boxes[kept], self._person_ids[kept], self._labels[kept]
        copy._person_of_row = (np.cumsum(kept, dtype=np.int32) - 1)[self._person_of_row[kept_rows]]
        copy._actions = self._actions[kept_rows]
        copy._empty_keys = self._empty_keys[kept_empty]
        keys = np.repeat(self.persons.keys, self.persons.counts)[kept]
        copy.persons = KeyframeRows(self.persons.video_ids, keys, copy._empty_keys)
        return copy

    def _packed_labels(self) -> UInt8[np.ndarray, "P bytes"]:
        """Eight columns of labels to a byte, some persons at a time: all of them as they are would be 34 MB for AVA."""
        width = -(-self.label_map.num_columns // 8)
        labels = np.zeros(self.num_persons * width, dtype=np.uint8)
        listed = np.isin(self._actions, self.label_map.ids)
        actions = self._actions[listed].astype(np.int64)
        places = self._person_of_row[listed] * np.int64(width) + (actions >> 3)
        np.bitwise_or.at(labels, places, (0x80 >> (actions & 7)).astype(np.uint8))
        return labels.reshape(-1, width)

    def _unpacked(self, rows: slice) -> Bool[np.ndarray, "P A"]:
        return np.unpackbits(self._labels[rows], axis=1, count=self.label_map.num_columns).view(bool)


def read_annotations(path: str | Path, label_map: LabelMap, *, clock: Clock = SECONDS) -> Annotations:
    """Read an AVA annotation csv.

    Args:
        path: The file; its timestamps are seconds, with or without a fraction.
        label_map: The actions that are used; rows of others only say that their keyframe is annotated.
        clock: The data set's clock, whose ticks the keyframes count.

    Raises:
        InputError: With file and row for anything that is not such a file, a second without a tick included.
    """
    parts: list[PersonRows] = []
    empty, index = None, None
    if parse_whole_blocks(
        path, COLUMNS, integers=_INTEGERS, clock=clock, add=lambda block: parts.append(person_rows(block))
    ):
        rows = join_person_rows(parts)
    else:
        table, empty = _unusual_rows(path, clock)
        rows, index = person_rows(table), table.index
    number = len(rows.actions)
    if number * label_map.num_columns > _MOST_LABELS:
        raise InputError(
            f"annotations {path}: {number} rows of {label_map.num_columns} columns, one for each id, take more than "
            f"{_MOST_LABELS >> 20} MB; number the label map's actions from 1 without gaps."
        )
    fault = box_fault([rows.persons[name].to_numpy() for name in BOX_COLUMNS])
    if fault is not None:
        place = int(np.searchsorted(rows.person_of_row, fault[0]))
        place = place if index is None else int(index[place])
        raise InputError(f"annotations {path}, {name_row(path, place)}: {fault[1]}.")
    return Annotations(rows, label_map, empty)


def no_annotations(label_map: LabelMap) -> Annotations:
    """Make the ground truth of a split that nobody has annotated."""
    rows = pd.DataFrame(
        {"video_id": pd.Series(dtype="category")} | {name: pd.Series(dtype=float) for name in COLUMNS[1:]}
    )
    return Annotations(person_rows(rows.astype(dict.fromkeys(_INTEGERS, np.int64))), label_map)


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
