"""What every source of frames offers, and the rule that picks a frame for a time.

A clip is asked for by presentation times in seconds since the video's first frame. The frame of a time is the one whose
presentation time is nearest (the earlier of two equally near): containers round time stamps, so "the last frame that
starts before" is off by one wherever a time falls on a frame. Times outside the video give its first or last frame, as
in the original code, which clamps frame indices.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import Float64, UInt8

from lfb_lightning.errors import InputError

Frame = TypeVar("Frame")
_SLACK_SECONDS = 1.0  # sound is often a little longer than the pictures


@dataclass(frozen=True, slots=True)
class VideoProperties:
    """What a source says of itself; `frames` is None where only decoding would tell.

    `width` and `height` are as shown: after the stored pictures were turned counter-clockwise by `rotation` degrees (-90,
    0, 90 or 180; phones held upright write -90).
    """

    seconds: float
    frames: int | None
    fps: float
    width: int
    height: int
    rotation: int = 0


@runtime_checkable
class Video(Protocol):
    """A readable video; cheap to make, opened at the first read."""

    def clip(self, times: Float64[np.ndarray, " T"]) -> UInt8[np.ndarray, "T H W 3"]:
        """RGB frames at ascending times in seconds, by random access."""
        ...

    def stream(
        self, clip_times: Float64[np.ndarray, "K T"], *, reach: float = 0.0
    ) -> Iterator[UInt8[np.ndarray, "T H W 3"]]:
        """RGB frames of every clip, reading the video once, front to back; clips ordered by their last time.

        Raises InputError where the frames end more than a second before `reach`: a file that was cut off, whatever length
        its header still states.
        """
        ...

    def properties(self) -> VideoProperties:
        """Length, rate and size, without decoding."""
        ...


def refuse_early_end(name: str, end: float, reach: float) -> None:
    """Raise InputError unless frames that end at second `end` reach `reach`, a second less or more."""
    if end < reach - _SLACK_SECONDS:
        raise InputError(
            f"video {name}: its frames end after {end:.1f} s, but clips up to {reach:.1f} s are wanted: it was cut off; "
            "copy or download it again."
        )


def nearest_frames(frames: Iterable[tuple[float, Frame]], times: np.ndarray) -> Iterator[tuple[int, Frame]]:
    """Give every ascending time the nearest of the frames (presentation time, frame), also ascending.

    Yields (index of the time, frame) in order, as soon as the following frame has shown that it is the nearest, and
    stops reading then. Yields nothing at all if there are no frames.
    """
    position = 0
    previous: tuple[float, Frame] | None = None
    for current in frames:
        if previous is not None:
            middle = (previous[0] + current[0]) / 2
            while position < len(times) and times[position] <= middle:
                yield position, previous[1]
                position += 1
        if position == len(times):
            return
        previous = current
    if previous is not None:
        for index in range(position, len(times)):
            yield index, previous[1]
