"""The segments of EPIC-Kitchens 55 and 100, with labels or without.

Files such as `EPIC_train_action_labels.csv` (55), `EPIC_100_train.csv`, `EPIC_100_validation.csv`, and, without labels,
`EPIC_100_test_timestamps.csv`. Their times count, in seconds. `start_frame` and `stop_frame` are not read: they are at 60
frames per second in EPIC-55 and for the videos that EPIC-100 has from it, and at 50 for its others, whatever rate a video
is read at.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from lfb_lightning.errors import InputError
from lfb_lightning.files.named_csv import Row, read_named_csv

_IDS = ("narration_id", "uid")
_SHARED = ["participant_id", "video_id", "start_timestamp", "stop_timestamp"]
_LABELS = ("verb_class", "noun_class")
_TIME = re.compile(r"(\d{1,2}):([0-5]\d):([0-5]\d(?:\.\d{1,9})?)")
_PARTICIPANT = re.compile(r"P(\d{1,4})")
_VIDEO_OF_2020 = re.compile(r"P\d+_\d{3}")
_CLASSES = re.compile(r"\[\s*(\d{1,5}(?:\s*,\s*\d{1,5})*)?\s*\]")
_MOST_CLASSES = 9_999


class Segment(NamedTuple):
    """An action of a video.

    Attributes:
        segment_id: `narration_id` in EPIC-100, `uid` in EPIC-55.
        participant: Who recorded it, such as `P01`.
        video_id: The video's id.
        start: When it begins, in seconds.
        stop: When it ends, in seconds.
        verb: Its class; None where the list has no labels.
        noun: The class of its first noun, which is the label; None where the list has no labels.
        nouns: The classes of all of its nouns, the label first.
    """

    segment_id: str
    participant: str
    video_id: str
    start: float
    stop: float
    verb: int | None = None
    noun: int | None = None
    nouns: tuple[int, ...] = ()


def read_segments(path: str | Path, *, labeled: bool = True) -> list[Segment]:
    """Read a list of segments of either data set.

    Args:
        path: A csv file whose columns are those of the data set, in any order among others.
        labeled: Whether it must have the columns of classes; without them, `verb` and `noun` are None.

    Returns:
        The segments in the file's order.

    Raises:
        InputError: Naming file and row, for what cannot be read, or a segment's id that comes twice.
    """
    found: dict[str, Segment] = {}
    labels = list(_LABELS) if labeled else []
    for row in read_named_csv(path, what="annotations", columns=[*_SHARED, *labels]):
        segment = _segment(row)
        if segment.segment_id in found:
            raise InputError(f"{row.where}: segment {segment.segment_id!r} comes twice, expected one row for each.")
        found[segment.segment_id] = segment
    return [*found.values()]


def participant_number(participant: str) -> int:
    """Return the number in a participant's id: 1 for `P01`."""
    match = _PARTICIPANT.fullmatch(participant)
    if match is None:
        raise InputError(f"participant {participant[:50]!r}, expected P and a number, such as P01.")
    return int(match[1])


def frame_at(seconds: float, frames_per_second: float = 30) -> int:
    """Return the number of the frame at a time, as the paper's code rounds it: to the nearest, halves to the even one.

    Args:
        seconds: The time.
        frames_per_second: Of the frames that are counted; the paper's are at 30.
    """
    return round(seconds * frames_per_second)


def official_frame_rate(video_id: str) -> float:
    """Return the frames per second of the official extracted frames of a video, and of `start_frame` in the csvs.

    Args:
        video_id: Its id: `P01_101`, with three digits, is of 2020, whose frames are at 50 per second; those of 2018
            (`P01_01`) are at 60, whatever rate the video has.
    """
    return 50.0 if _VIDEO_OF_2020.fullmatch(video_id) else 60.0


def _segment(row: Row) -> Segment:
    key = next((name for name in _IDS if name in row.values), None)
    if key is None:
        raise InputError(f"{row.where}: no column narration_id (EPIC-100) or uid (EPIC-55) in this file.")
    segment_id, participant = row.values[key].strip(), row.values["participant_id"].strip()
    if not segment_id:
        raise row.error(key, "the id of a segment")
    if not _PARTICIPANT.fullmatch(participant):
        raise row.error("participant_id", "P and a number, such as P01")
    video_id = row.values["video_id"].strip()
    if not video_id or any(letter.isspace() for letter in video_id):
        raise row.error("video_id", "a video's id without blanks")
    start, stop = _seconds(row, "start_timestamp"), _seconds(row, "stop_timestamp")
    verb, noun = (row.whole_number(name, most=_MOST_CLASSES) if name in row.values else None for name in _LABELS)
    return Segment(segment_id, participant, video_id, start, stop, verb, noun, _nouns(row, noun))


def _seconds(row: Row, column: str) -> float:
    match = _TIME.fullmatch(row.values[column].strip())
    if match is None:
        raise row.error(column, "hours, minutes and seconds as HH:MM:SS.ss")
    return int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])


def _nouns(row: Row, noun: int | None) -> tuple[int, ...]:
    if noun is None:
        return ()
    text = row.values.get("all_noun_classes", "").strip()
    if not text:
        return (noun,)
    match = _CLASSES.fullmatch(text)
    if match is None:
        raise row.error("all_noun_classes", "a list of classes such as [12, 3]")
    others = [int(part) for part in match[1].split(",")] if match[1] else []
    return (noun, *(other for other in dict.fromkeys(others) if other != noun))
