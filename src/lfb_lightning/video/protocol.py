"""The protocol of every source of frames, and the rule that picks the frame for a time.

A clip is requested by presentation times in seconds since the video's first frame. The frame of a time is the one whose
presentation time is nearest, and the earlier of two equally near: containers round time stamps, so "the last frame that
starts before" would be off by one wherever a time falls on a frame. Times outside the video give its first or last frame,
as in the original release of LFB, which clamps frame indices.
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
    """What is known about a video without decoding it.

    Args:
        seconds: Its length.
        frames: The number of its frames, or None where only decoding would tell.
        fps: Frames per second; 0 if unknown.
        width: Width in pixels as players show it, after turning.
        height: Height in pixels as players show it, after turning.
        rotation: By how many degrees the stored pictures are turned counter-clockwise: -90, 0, 90 or 180. Phones held
            upright usually write -90.
    """

    seconds: float
    frames: int | None
    fps: float
    width: int
    height: int
    rotation: int = 0


@runtime_checkable
class Video(Protocol):
    """A video that can be read; making one is cheap, the file is opened at the first read."""

    def clip(self, times: Float64[np.ndarray, " T"]) -> UInt8[np.ndarray, "T H W 3"]:
        """Read one clip by random access.

        Args:
            times: Ascending times in seconds since the first frame, float64 `[T]`.

        Returns:
            The nearest frames, RGB uint8 `[T, H, W, 3]`.
        """
        ...

    def stream(
        self, clip_times: Float64[np.ndarray, "K T"], *, reach: float = 0.0
    ) -> Iterator[UInt8[np.ndarray, "T H W 3"]]:
        """Read many clips in one pass over the video.

        Args:
            clip_times: Times of each clip in seconds, ascending, float64 `[K, T]`; the clips are ordered by their last time.
            reach: The second that the video should reach.

        Yields:
            The clips in order, each RGB uint8 `[T, H, W, 3]`.

        Raises:
            InputError: The frames end more than a second before `reach`: the file was cut off, whatever length its header
                states.
        """
        ...

    def properties(self) -> VideoProperties:
        """Return length, rate and size, without decoding the whole video."""
        ...


def refuse_early_end(name: str, end: float, reach: float) -> None:
    """Refuse a video that ends more than a second too early.

    Args:
        name: The video's name for the message.
        end: The second at which its frames end.
        reach: The second that they should reach.

    Raises:
        InputError: The video was cut off.
    """
    if end < reach - _SLACK_SECONDS:
        raise InputError(
            f"video {name}: its frames end after {end:.1f} s, but clips up to {reach:.1f} s are wanted: it was cut off; "
            "copy or download it again."
        )


def nearest_frames(frames: Iterable[tuple[float, Frame]], times: np.ndarray) -> Iterator[tuple[int, Frame]]:
    """Find the nearest frame for every time, in one pass.

    Args:
        frames: Pairs of presentation time and frame, ascending. They are read only as far as the last time needs.
        times: Times, ascending.

    Yields:
        The index of each time, in order, with its nearest frame, as soon as the frame after that one is known. Nothing at
        all if there are no frames.
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
