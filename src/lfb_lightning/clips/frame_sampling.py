"""Which frames and crops the paper's code reads where a clip stands for a whole video or a segment of it.

Plain functions of frame numbers, from 0: on Charades 24 per second and clips of 32 x 4, on EPIC-Kitchens 30 and 32 x 2.
A frame beyond the video is its first or last one.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64


def segment_centers(num_frames: int, segments: int) -> list[int]:
    """Return the middles of equal parts of a video: where its test clips are read (Charades: 10; 3 while training).

    Args:
        num_frames: Of the video.
        segments: Parts.
    """
    return [round(num_frames / segments * (number + 0.5)) for number in range(segments)]  # halves to the even frame


def center_range(num_frames: int, span: int) -> tuple[int, int]:
    """Return the first and the last frame around which a training clip may be read, so that it stays within the video.

    Args:
        num_frames: Of the video.
        span: Frames that a clip spans, such as 128 for 32 x 4; a shorter video has one center, its middle.
    """
    if num_frames < span:
        return num_frames // 2, num_frames // 2
    return span // 2, num_frames - span // 2


def frames_around(center: int, *, num_frames: int, length: int, stride: int) -> Int64[np.ndarray, " T"]:
    """Return the frames of a clip: `stride` apart, from half of the clip's span before its center.

    Args:
        center: The frame around which it is read.
        num_frames: Of the video.
        length: Frames of the clip, T.
        stride: Frames from one to the next.
    """
    frames = center - length * stride // 2 + np.arange(length, dtype=np.int64) * stride
    return np.clip(frames, 0, num_frames - 1)


def shifted_crops(height: int, width: int, size: int) -> list[tuple[int, int]]:
    """Return where three square crops along the longer side begin: at its beginning, in the middle, at its end.

    Args:
        height: Of the resized picture.
        width: Of the resized picture; the shorter side has at least `size` pixels.
        size: Side of the crops.

    Returns:
        Top and left edge of each crop in pixels.
    """
    top, left = _middle(height, size), _middle(width, size)
    if height > width:
        return [(0, left), (top, left), (height - size, left)]
    return [(top, 0), (top, left), (top, width - size)]


def _middle(side: int, size: int) -> int:
    return -(-(side - size) // 2)  # a half pixel rounds up
