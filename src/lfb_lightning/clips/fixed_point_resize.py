"""Bilinear resizing in 11-bit fixed point, pixel for pixel what OpenCV's INTER_LINEAR makes of 8-bit images.

torchvision's differs by one gray level in a fifth of the pixels. That hardly matters to a trained model, but a preset
that reproduces mmaction2 would not give its numbers, so it can be chosen (`data.resize=opencv`).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int32, Int64, UInt8

_BITS = 11
_ONE = 1 << _BITS


def resize_fixed_point(frames: UInt8[np.ndarray, "T H W 3"], height: int, width: int) -> UInt8[np.ndarray, "T h w 3"]:
    """Resize frames; each axis takes two neighbors, also when shrinking (no antialiasing).

    Args:
        frames: RGB frames of one size.
        height: Pixels afterwards.
        width: Pixels afterwards.
    """
    left, right, weight_left, weight_right = _axis(frames.shape[2], width, at_edge="nearest")
    top, bottom, weight_top, weight_bottom = _axis(frames.shape[1], height, at_edge="both")
    source = frames.astype(np.int32)
    across = source[:, :, left] * weight_left[:, None] + source[:, :, right] * weight_right[:, None]
    across >>= 4
    rows = (across[:, top] * weight_top[:, None, None] >> 16) + (across[:, bottom] * weight_bottom[:, None, None] >> 16)
    resized: UInt8[np.ndarray, "T h w 3"] = ((rows + 2) >> 2).astype(np.uint8)
    return resized


def _axis(
    source: int, target: int, *, at_edge: str
) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"], Int32[np.ndarray, " n"], Int32[np.ndarray, " n"]]:
    """Find, for each target position, the two source positions and their integer weights.

    Beyond the edge, OpenCV gives the nearest column all the weight, but weighs the nearest row twice (`at_edge`).
    """
    position = ((np.arange(target) + 0.5) * (source / target) - 0.5).astype(np.float32)
    first = np.floor(position).astype(np.int64)
    fraction = position - first.astype(np.float32)
    if at_edge == "nearest":
        fraction[(first < 0) | (first >= source - 1)] = 0
        first = first.clip(0, source - 1)
    second = (first + 1).clip(0, source - 1)
    first = first.clip(0, source - 1)
    weight_second = np.rint(fraction * np.float32(_ONE)).astype(np.int32)
    weight_first = np.rint((1 - fraction) * np.float32(_ONE)).astype(np.int32)
    return first, second, weight_first, weight_second
