"""The smaller lists of EPIC-Kitchens: classes, rare classes, unseen participants, videos."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from lfb_lightning.errors import InputError
from lfb_lightning.files.named_csv import Row, read_named_csv

_MOST_CLASSES = 9_999
_LONGEST_SECONDS = 360_000.0  # as long as HH:MM:SS goes
_FRAME_RATES = (0.1, 1000.0)


class VideoInfo(NamedTuple):
    """A video of the list.

    Attributes:
        duration: Its length in seconds.
        frames_per_second: Of its file.
    """

    duration: float
    frames_per_second: float


def read_classes(path: str | Path) -> dict[int, str]:
    """Read the names of verbs or nouns: `EPIC_100_verb_classes.csv`, `EPIC_noun_classes.csv` and their siblings.

    Args:
        path: A csv file with the columns `id` and `key` (EPIC-100), or `verb_id` or `noun_id` and `class_key` (EPIC-55).

    Returns:
        The name of each class by its number, which is a column of scores; the numbers have no gap.

    Raises:
        InputError: Naming file and row, for what cannot be read.
    """
    names: dict[int, str] = {}
    for row in read_named_csv(path, what="class list", columns=[]):
        number, name = _first(row, ("id", "verb_id", "noun_id")), _first(row, ("key", "class_key"))
        if row.whole_number(number, most=_MOST_CLASSES) != len(names):
            raise row.error(number, f"{len(names)}, since classes count from 0 without a gap")
        names[len(names)] = row.values[name]
    if not names:
        raise InputError(f"class list {path}: no class.")
    return names


def read_ids(path: str | Path, column: str) -> list[int]:
    """Read a list of class numbers, such as the rare verbs.

    Args:
        path: A csv file: `EPIC_100_tail_verbs.csv`, `EPIC_100_tail_nouns.csv`.
        column: The column that holds them: `verb`, `noun`.

    Raises:
        InputError: Naming file and row, for what cannot be read.
    """
    return [row.whole_number(column, most=_MOST_CLASSES) for row in read_named_csv(path, what="list", columns=[column])]


def read_names(path: str | Path, column: str = "participant_id") -> list[str]:
    """Read a list of names, such as the participants who are not in the training videos.

    Args:
        path: A csv file: `EPIC_100_unseen_participant_ids_validation.csv`.
        column: The column that holds them.

    Raises:
        InputError: Naming file and row, for what cannot be read.
    """
    return [row.values[column].strip() for row in read_named_csv(path, what="list", columns=[column])]


def read_video_info(path: str | Path) -> dict[str, VideoInfo]:
    """Read the list of videos: `EPIC_100_video_info.csv`, `EPIC_video_info.csv`.

    Args:
        path: A csv file with the columns `video_id` (or `video`), `duration` and `fps`.

    Returns:
        Duration and frame rate by video id.

    Raises:
        InputError: Naming file and row, for what cannot be read.
    """
    videos: dict[str, VideoInfo] = {}
    for row in read_named_csv(path, what="video list", columns=["duration", "fps"]):
        video_id = row.values[_first(row, ("video_id", "video"))].strip()
        if video_id in videos:
            raise InputError(f"{row.where}: video {video_id!r} comes twice, expected one row for each.")
        videos[video_id] = VideoInfo(
            _number(row, "duration", 0.0, _LONGEST_SECONDS), _number(row, "fps", *_FRAME_RATES)
        )
    return videos


def _first(row: Row, names: Sequence[str]) -> str:
    for name in names:
        if name in row.values:
            return name
    raise InputError(f"{row.where}: no column {' or '.join(names)} in this file.")


def _number(row: Row, column: str, least: float, most: float) -> float:
    try:
        value = float(row.values[column])
    except ValueError:
        value = math.nan
    if not (least <= value <= most and value > 0):
        raise row.error(column, f"a number above 0 and from {least:g} to {most:g}")
    return value
