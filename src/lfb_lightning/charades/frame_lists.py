"""Lists of frames as the paper's code and PySlowFast read them: `train.csv` and `val.csv`, a row per frame.

`original_vido_id video_id frame_id path labels`, separated by blanks: the video's id, its number, the frame's number from 0,
the path of its picture (that of frame number + 1; it is not kept), and the classes of the frame in quotation marks, separated
by commas.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from lfb_lightning.charades.annotations import LARGEST_CLASS
from lfb_lightning.errors import InputError
from lfb_lightning.files.named_csv import Row, read_named_csv

_MOST_BYTES, _MOST_ROWS = 1 << 30, 1 << 26  # the list of training frames has 280 MB and 7 million rows
_COLUMNS = ["original_vido_id", "video_id", "frame_id", "path", "labels"]


class ListedVideo(NamedTuple):
    """A video of a frame list.

    Attributes:
        video_id: The video's id.
        number: Its number in the list, by which the original banks know it.
        frame_labels: The classes of each frame, ascending.
    """

    video_id: str
    number: int
    frame_labels: list[tuple[int, ...]]

    @property
    def actions(self) -> list[int]:
        """The classes that occur in any frame, ascending."""
        return self.actions_between(0, len(self.frame_labels) - 1)

    def actions_between(self, first: int, last: int) -> list[int]:
        """Return the classes of any frame from `first` to `last`, both included, ascending: the labels of a training clip."""
        return sorted({action for labels in self.frame_labels[first : last + 1] for action in labels})


def read_frame_list(path: str | Path) -> list[ListedVideo]:
    """Read a list of frames.

    Args:
        path: The file; the frames of a video follow each other in order.

    Returns:
        The videos in the file's order.

    Raises:
        InputError: Naming file and row, for what cannot be read, or a frame or a video out of order.
    """
    videos: dict[str, ListedVideo] = {}
    known: dict[str, tuple[int, ...]] = {}  # millions of frames share few texts
    rows = read_named_csv(
        path, what="frame list", columns=_COLUMNS, separator=" ", most_bytes=_MOST_BYTES, most_rows=_MOST_ROWS
    )
    for row in rows:
        video_id, number = row.values["original_vido_id"], row.whole_number("video_id")
        if video_id not in videos:
            if number != len(videos):
                raise row.error("video_id", f"the number of the next video, {len(videos)}")
            videos[video_id] = ListedVideo(video_id, number, [])
        video = videos[video_id]
        if number != video.number or number != len(videos) - 1:
            raise row.error(
                "video_id", f"the number of the video, {video.number}, all of whose frames follow each other"
            )
        if row.whole_number("frame_id") != len(video.frame_labels):
            raise row.error("frame_id", f"the number of the next frame, {len(video.frame_labels)}")
        text = row.values["labels"]
        if text not in known:
            known[text] = _labels(row)
        video.frame_labels.append(known[text])
    if not videos:
        raise InputError(f"frame list {path}: no frame.")
    return [*videos.values()]


def _labels(row: Row) -> tuple[int, ...]:
    text = row.values["labels"].strip()
    parts = text.split(",") if text else []
    if not all(part.isascii() and part.isdigit() and len(part) <= 4 for part in parts):
        raise row.error("labels", f"classes from 0 to {LARGEST_CLASS} separated by commas")
    return tuple(sorted({int(part) for part in parts}))
