"""What the viewers are shown: videos, their key frames, and the persons there, of ground truth and of predictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lfb_lightning.errors import InputError
from lfb_lightning.reporting.sources import Sources
from lfb_lightning.video.file import VideoFile
from lfb_lightning.video.protocol import Video

TRUTH, PREDICTIONS, WITHOUT = "ground_truth", "predictions", "without_memory"
UNKNOWN_SIZE = (1000, 1000)  # pixels of a picture that nobody has seen


@dataclass(frozen=True, slots=True)
class Mark:
    """One action of one person.

    Args:
        action: Its id.
        score: The detector's; None in ground truth.
        right: Whether it was judged a true positive; None where nobody judged.
    """

    action: int
    score: float | None = None
    right: bool | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """How much a decision looked at one entry of the bank.

    Args:
        row: The entry's number in its video.
        second: Its time since the first frame.
        track: Its person.
        box: Where it was, as fractions of the picture.
        weight: Its share of the attention, in the mean of the layers.
    """

    row: int
    second: float
    track: int
    box: tuple[float, float, float, float]
    weight: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """One person at one key frame.

    Args:
        box: Corners `x1, y1, x2, y2`, as fractions of the picture.
        marks: The actions, best first; none where every score is below the threshold.
        track: Who it is, if that is known.
        score: The person detector's, if it is known.
        row: The person's number in the video's bank, if there is one.
        looks: What the decision looked at, most first; None for a detector that does not attend.
        empty: Attention to the window's empty slots.
        rest: Attention to entries that are not listed.
    """

    box: tuple[float, float, float, float]
    marks: Sequence[Mark] = ()
    track: int | None = None
    score: float | None = None
    row: int | None = None
    looks: Sequence[Look] | None = None
    empty: float = 0.0
    rest: float = 0.0


@dataclass(frozen=True, slots=True)
class Moment:
    """One key frame.

    Args:
        second: Since the video's first frame.
        stamp: As the files call it: AVA counts from the movie's beginning.
        persons: By layer, such as `ground_truth`; a layer that says nothing of this key frame is missing.
    """

    second: float
    stamp: float
    persons: Mapping[str, Sequence[Person]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One video.

    Args:
        video_id: Its name in the files.
        moments: Its key frames, ascending.
        names: The actions' names by id.
        video: Where its pictures are; None if they are not there.
        file: The video's file, where it is one.
        size: Width and height in pixels, if they are known.
        why: Why there are no pictures.
    """

    video_id: str
    moments: Sequence[Moment]
    names: Mapping[int, str]
    video: Video | None
    file: Path | None
    size: tuple[int, int] | None
    why: str | None


@dataclass(frozen=True, kw_only=True)
class Scenes:
    """All that is exported, read video by video.

    Args:
        title: What it is, in a few words.
        layers: Where each layer is from, by name, in the order in which they are shown.
        scenes: The videos; each is made when its turn comes.
        notes: What the reader must know, in sentences; more may come while the videos are read.
    """

    title: str
    layers: Mapping[str, str]
    scenes: Iterator[Scene]
    notes: list[str] = field(default_factory=list)


def open_pictures(
    sources: Sources, video_id: str
) -> tuple[Video | None, Path | None, tuple[int, int] | None, str | None]:
    """Look for a video.

    Args:
        sources: Where the videos are.
        video_id: Its name.

    Returns:
        The video, its file, and its width and height; or three times None, and why it is not there.
    """
    try:
        video = sources.library(video_id).open(video_id)
        properties = video.properties()
    except InputError as error:
        return None, None, None, str(error)
    file = video.path if isinstance(video, VideoFile) and isinstance(video.path, Path) else None
    return video, file, (properties.width, properties.height), None
