"""Videos for people to look at: one with boxes and actions drawn into it, and one that every browser plays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedPerson:
    """One person at one moment.

    Args:
        track: The number that this person keeps over moments.
        box: Corners `x1, y1, x2, y2` as fractions of the picture.
        actions: Names with scores, best first; all of them are drawn, so leave out those below the threshold.
    """

    track: int
    box: tuple[float, float, float, float]
    actions: Sequence[tuple[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenVideo:
    """What was written.

    Args:
        frames: The number of pictures.
        seconds: When the last one ends.
        copied: Whether the source's pictures were copied as they are stored, and not encoded again.
        problems: One line for each thing that is missing: pictures after a damaged place, or sound.
    """

    frames: int
    seconds: float
    copied: bool
    problems: tuple[str, ...] = ()


def write_overlay_video(
    source: str | Path,
    out: str | Path,
    persons: Iterable[tuple[float, Sequence[TrackedPerson]]],
    *,
    page_video: str | Path | None = None,
    progress: Callable[[float], None] | None = None,
) -> WrittenVideo:
    """Write a video again as H.264 in mp4, with boxes and actions drawn into its pictures and its own sound.

    Args:
        source: The video.
        out: The mp4 file to write.
        persons: Moments in seconds since the first frame, ascending, each with the persons there, possibly none. They are
            read while the video is written, so a generator keeps memory flat.
        page_video: Where `write_page_video`'s result is written in the same pass; None writes none.
        progress: Called after each picture with its second.

    Raises:
        InputError: The source cannot be opened, or a file cannot be written. A source that cannot be read from some second
            on is written up to there, and `problems` says so.
    """
    raise NotImplementedError


def write_page_video(
    source: str | Path, out: str | Path, *, progress: Callable[[float], None] | None = None
) -> WrittenVideo:
    """Write a video that browsers play: stored pictures are copied if they are H.264 as browsers know it, or else encoded.

    Args:
        source: The video.
        out: The mp4 file to write.
        progress: Called after each picture with its second.

    Raises:
        InputError: As in `write_overlay_video`.
    """
    raise NotImplementedError
