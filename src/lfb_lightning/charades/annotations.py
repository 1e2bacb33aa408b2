"""The annotations of Charades: `Charades_v1_train.csv`, `Charades_v1_test.csv`, and files of the same columns.

A row is a video, whose column `actions` holds `c092 11.90 21.20;c147 0.00 12.60`: class, start and end in seconds. In the
original, a class may occur several times in a video, every third interval ends after the video, and a few end before they
start; they are read as they are, since the official programs read them so.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from lfb_lightning.errors import InputError
from lfb_lightning.files.named_csv import Row, read_named_csv

LARGEST_CLASS = 9_999
_ACTION = re.compile(r"c(\d{1,4}) +(\d{1,7}(?:\.\d{1,12})?) +(\d{1,7}(?:\.\d{1,12})?)")
_LONGEST_SECONDS = 1e6


class Interval(NamedTuple):
    """An action of a video.

    Attributes:
        action: Its class, from 0.
        start: When it begins, in seconds.
        end: When it ends, in seconds, as the file has it: it may lie after the end of the video, or not after the start.
    """

    action: int
    start: float
    end: float


class CharadesVideo(NamedTuple):
    """A row of the annotations.

    Attributes:
        video_id: The video's id.
        length: Its length in seconds.
        intervals: Its actions in the file's order.
        subject: Who was filmed; empty where the file does not say.
        scene: Where; empty where the file does not say.
    """

    video_id: str
    length: float
    intervals: tuple[Interval, ...]
    subject: str = ""
    scene: str = ""

    @property
    def actions(self) -> list[int]:
        """The classes that occur, each once, ascending."""
        return sorted({interval.action for interval in self.intervals})

    def clipped(self) -> tuple[Interval, ...]:
        """Return the intervals within the video: ends are at most its length; what is empty then is left out."""
        ends = [interval._replace(end=min(interval.end, self.length)) for interval in self.intervals]
        return tuple(interval for interval in ends if interval.start < interval.end)


def read_annotations(path: str | Path, *, num_classes: int | None = None) -> list[CharadesVideo]:
    """Read the annotations of a split.

    Args:
        path: A csv file with the columns `id`, `actions` and `length`, in any order among others.
        num_classes: Classes are below this; None: any number.

    Returns:
        The videos in the file's order, those without an action too.

    Raises:
        InputError: Naming file and row, for what cannot be read, a class that does not exist, or a video that comes twice.
    """
    videos: dict[str, CharadesVideo] = {}
    for row in read_named_csv(path, what="annotations", columns=["id", "actions", "length"]):
        video_id = row.values["id"].strip()
        if not video_id or any(letter.isspace() for letter in video_id):
            raise row.error("id", "a video's id without blanks")
        if video_id in videos:
            raise InputError(f"{row.where}: video {video_id!r} is annotated twice, expected one row for each.")
        videos[video_id] = CharadesVideo(
            video_id,
            _length(row),
            tuple(_intervals(row, LARGEST_CLASS + 1 if num_classes is None else num_classes)),
            row.values.get("subject", ""),
            row.values.get("scene", ""),
        )
    return [*videos.values()]


def labels_of_videos(videos: Sequence[CharadesVideo], num_classes: int) -> Bool[np.ndarray, "V C"]:
    """Say which class occurs in which video.

    Args:
        videos: The videos.
        num_classes: C; every class of the videos is below it.
    """
    labels = np.zeros((len(videos), num_classes), dtype=bool)
    for number, video in enumerate(videos):
        labels[number, video.actions] = True
    return labels


def _length(row: Row) -> float:
    try:
        length = float(row.values["length"])
    except ValueError:
        length = math.nan
    if not 0 < length < _LONGEST_SECONDS:
        raise row.error("length", f"seconds above 0 and below {_LONGEST_SECONDS:.0f}")
    return length


def _intervals(row: Row, num_classes: int) -> list[Interval]:
    text = row.values["actions"].strip()
    found = []
    for part in text.split(";") if text else []:
        match = _ACTION.fullmatch(part.strip())
        if match is None:
            raise InputError(
                f"{row.where}: actions hold {part[:60]!r}, expected class, start and end: 'c092 11.90 21.20'."
            )
        if int(match[1]) >= num_classes:
            raise InputError(f"{row.where}: action c{match[1]}, expected classes c000 to c{num_classes - 1:03}.")
        found.append(Interval(int(match[1]), float(match[2]), float(match[3])))
    return found
