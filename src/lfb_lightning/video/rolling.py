"""Cutting all clips of a video out of one pass over its frames, with a buffer that drops what no later clip needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np
from jaxtyping import Float64, UInt8

from lfb_lightning.errors import InputError
from lfb_lightning.video.protocol import nearest_frames

Frame = TypeVar("Frame")


def stream_from_frames(
    frames: Iterable[tuple[float, Frame]],
    clip_times: Float64[np.ndarray, "K T"],
    to_rgb: Callable[[Frame], UInt8[np.ndarray, "H W 3"]],
    name: str,
) -> Iterator[UInt8[np.ndarray, "T H W 3"]]:
    """Cut clips out of a stream of frames, converting each frame once, however many clips share it.

    The buffer holds the wanted frames of about one clip's span, whatever the video's length.

    Args:
        frames: Pairs of presentation time in seconds and frame, ascending.
        clip_times: Times of each clip in seconds, ascending, float64 `[K, T]`; the clips are ordered by their last time.
        to_rgb: Converts a frame to RGB, uint8 `[H, W, 3]`.
        name: The video's name for messages.

    Yields:
        The clips in order, uint8 `[T, H, W, 3]`.

    Raises:
        InputError: There are no frames at all.
    """
    if len(clip_times) == 0:
        return
    wanted, positions = np.unique(clip_times, return_inverse=True)
    positions = positions.reshape(clip_times.shape)
    last_needed = positions.max(axis=1)
    still_needed_from = np.minimum.accumulate(positions.min(axis=1)[::-1])[::-1]
    buffer: dict[int, np.ndarray] = {}
    clip = 0
    previous: Frame | None = None
    for index, frame in nearest_frames(frames, wanted):
        buffer[index] = buffer[index - 1] if frame is previous and index - 1 in buffer else to_rgb(frame)
        previous = frame
        while clip < len(clip_times) and last_needed[clip] <= index:
            yield np.stack([buffer[position] for position in positions[clip]])
            clip += 1
            oldest = still_needed_from[clip] if clip < len(clip_times) else len(wanted)
            for position in [position for position in buffer if position < min(oldest, index)]:
                del buffer[position]
    if clip < len(clip_times):
        raise InputError(f"video {name}: no frame could be decoded.")
