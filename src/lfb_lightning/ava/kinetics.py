"""AVA-Kinetics' annotations: AVA's actions at moments of Kinetics clips, whose seconds have a fraction.

The official csv names YouTube videos, `youtube_id,timestamp,x1,y1,x2,y2,action_id`, and a timestamp is a second of such a
video. What people have is a clip of ten of its seconds, a file that downloaders name `<youtube_id>_<start>_<end>`; which one
a row belongs to is found among the clips that are there. mmaction2's csv names the clips themselves, in AVA's eight columns,
before AVA's own rows; its converter has cut the fraction of each second off.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool

from lfb_lightning.ava.annotations import COLUMNS, Annotations
from lfb_lightning.ava.box_rules import BOX_COLUMNS, box_fault
from lfb_lightning.ava.csv_rows import join_blocks, name_row, numbers, read_csv_blocks
from lfb_lightning.ava.person_rows import person_rows
from lfb_lightning.clock import SECOND_LIMIT
from lfb_lightning.errors import InputError

_CLIP = re.compile(r"(?P<video>.{11})_(?P<start>\d{6})_(?P<end>\d{6})")
_OFFICIAL_COLUMNS = 7
_EXPECTED = "expected `youtube_id,timestamp,x1,y1,x2,y2,action_id`, or mmaction2's `<youtube_id>_<start>_<end>,...`"


class KineticsClip(NamedTuple):
    """What the name of a clip says.

    Attributes:
        video: Id of the YouTube video, 11 characters.
        start: The second of it at which the clip begins.
        end: The second at which it ends.
    """

    video: str
    start: int
    end: int


def clip_of_name(name: str) -> KineticsClip | None:
    """Read the name of a clip, as the Kinetics downloaders write it; None for another name."""
    match = _CLIP.fullmatch(name)
    return None if match is None else KineticsClip(match["video"], int(match["start"]), int(match["end"]))


def is_clip_name(name: str) -> bool:
    """Say whether a video id is the name of a Kinetics clip; AVA's ids, which have 11 characters, are none."""
    return _CLIP.fullmatch(name) is not None


class ClipTable:
    """The clips that there are, by YouTube video.

    Args:
        names: Their names; others are left alone.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._of_video: dict[str, list[tuple[KineticsClip, str]]] = {}
        for name in sorted(set(names)):
            if (clip := clip_of_name(name)) is not None:
                self._of_video.setdefault(clip.video, []).append((clip, name))

    def __contains__(self, name: str) -> bool:
        clip = clip_of_name(name)
        return clip is not None and (clip, name) in self._of_video.get(clip.video, ())

    def at(self, video: str, second: float) -> str | None:
        """Name the clip that shows a second of a YouTube video, the one that begins first if several do; None without any."""
        found = (name for clip, name in self._of_video.get(video, ()) if clip.start <= second <= clip.end)
        return next(found, None)


@dataclass(frozen=True, slots=True)
class KineticsRows:
    """The rows of a csv that say what a person does.

    Args:
        rows: `video` (YouTube's id, or the clip's name where the csv has that), `timestamp` (second of the YouTube video),
            `x1`, `y1`, `x2`, `y2`, `action_id`.
        without_people: Rows of other lengths: frames in which nobody is.
        names_clips: Whether `video` is the name of a clip: mmaction2's csv, whose seconds have no fraction.
    """

    rows: pd.DataFrame
    without_people: int
    names_clips: bool


def read_kinetics_rows(path: str | Path) -> KineticsRows:
    """Read the official csv of AVA-Kinetics, or the Kinetics rows of mmaction2's, in which AVA's are left alone.

    Raises:
        InputError: The file is missing, holds no such row, or a row has a value that is no such number; the row is named.
    """
    official, of_clips, number = [], [], 0
    for table in read_csv_blocks(path, COLUMNS, what="Kinetics annotations", widths=range(1, len(COLUMNS) + 1)):
        filled = (table != "").to_numpy()
        widths = filled.shape[1] - np.argmax(filled[:, ::-1], axis=1)
        named = np.array([is_clip_name(name) for name in table["video_id"]], dtype=bool)
        number += len(table)
        official.append(table[(widths == _OFFICIAL_COLUMNS) & ~named])
        of_clips.append(table[named])
    names_clips = any(map(len, of_clips))
    kept = of_clips if names_clips else official
    rows = join_blocks(_numbered(table, path) for table in kept)
    if not len(rows):
        raise InputError(
            f"Kinetics annotations {path}: none of {number} rows is a person in a Kinetics clip; {_EXPECTED}."
        )
    if (fault := box_fault([rows[name].to_numpy() for name in BOX_COLUMNS])) is not None:
        row = name_row(path, int(rows.index[fault[0]]))
        raise InputError(f"Kinetics annotations {path}, {row}: {fault[1]}.")
    return KineticsRows(rows.reset_index(drop=True), 0 if names_clips else number - len(rows), names_clips)


def _numbered(table: pd.DataFrame, path: str | Path) -> pd.DataFrame:
    """Turn the texts of some rows into numbers, under the same index."""
    rows = pd.DataFrame({"video": table["video_id"].astype("category")})
    for column in COLUMNS[1:7]:
        rows[column] = numbers(table, column, path, integer=column == "action_id")
    far = ~(rows["timestamp"].abs() < SECOND_LIMIT)
    if far.any():
        place = int(rows.index[int(np.argmax(far))])
        raise InputError(
            f"Kinetics annotations {path}, {name_row(path, place)}: timestamp is {rows['timestamp'][place]:g}, expected a "
            f"second of a video, less than {SECOND_LIMIT:,}."
        )
    return rows


def without_clips(annotations: Annotations) -> Annotations:
    """Leave the Kinetics rows out of annotations that hold AVA's and Kinetics', as mmaction2's csv does."""
    rows, empty = annotations.rows, annotations.empty
    rows = rows[~_are_clips(rows["video_id"])].reset_index(drop=True)
    return Annotations(person_rows(rows), annotations.label_map, empty[~_are_clips(empty["video_id"])])


def _are_clips(video_ids: pd.Series) -> Bool[np.ndarray, " N"]:
    column = video_ids.astype("category").cat
    named = np.array([is_clip_name(str(name)) for name in column.categories], dtype=bool)
    return named[column.codes.to_numpy()]
