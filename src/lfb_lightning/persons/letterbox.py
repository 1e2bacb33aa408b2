"""Fitting a frame into a detector's input without changing its proportions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64, UInt8
from PIL import Image


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a frame lies in a detector's input.

    Args:
        ratio: Pixels of the input per pixel of the frame.
        left: Columns of padding before the frame.
        top: Rows of padding above it.
    """

    ratio: float
    left: int
    top: int

    def in_frame(self, boxes: Float64[np.ndarray, "P 4"]) -> Float64[np.ndarray, "P 4"]:
        """Convert boxes from pixels of the input to pixels of the frame, not clipped to it."""
        return (boxes - (self.left, self.top, self.left, self.top)) / self.ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Letterbox:
    """How frames are shown to a detector; `OnnxPersons` documents the values."""

    height: int
    width: int
    position: Literal["top_left", "center"]
    pad: float
    scale: float
    mean: Sequence[float]
    std: Sequence[float]
    colors: Literal["rgb", "bgr"]

    def show(self, frame: UInt8[np.ndarray, "H W 3"]) -> tuple[Float32[np.ndarray, "1 3 h w"], Placed]:
        """Scale a frame to fit the input, bilinearly, and pad the rest.

        Args:
            frame: RGB.

        Returns:
            The input, and where the frame lies in it.
        """
        height, width = frame.shape[:2]
        ratio = min(self.height / height, self.width / width)
        rows, columns = max(1, round(height * ratio)), max(1, round(width * ratio))
        scaled = frame
        if (rows, columns) != (height, width):
            scaled = np.asarray(Image.fromarray(frame).resize((columns, rows), Image.Resampling.BILINEAR))
        left, top = 0, 0
        if self.position == "center":
            left, top = (self.width - columns) // 2, (self.height - rows) // 2
        canvas = np.full((self.height, self.width, 3), self.pad, dtype=np.float32)
        canvas[top : top + rows, left : left + columns] = scaled
        if self.colors == "bgr":
            canvas = canvas[:, :, ::-1]
        mean, std = (np.asarray(value, dtype=np.float32) for value in (self.mean, self.std))
        values = (canvas * np.float32(self.scale / 255) - mean) / std
        return np.ascontiguousarray(values.transpose(2, 0, 1)[None]), Placed(ratio, left, top)
