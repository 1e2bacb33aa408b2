"""Functions on boxes: corners `x1, y1, x2, y2`, as fractions of the picture in files, in pixels of a clip for RoIAlign."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor


def pixels_from_normalized(boxes: Float64[np.ndarray, "P 4"], height: int, width: int) -> Float64[np.ndarray, "P 4"]:
    """Convert boxes from fractions of the picture to pixels.

    Args:
        boxes: Corners between 0 and 1, `[P, 4]`.
        height: The picture's height in pixels.
        width: The picture's width in pixels.

    Returns:
        Corners in pixels, `[P, 4]`; the right edge of a box that fills the picture is `width`, not `width - 1`.
    """
    return boxes * np.array([width, height, width, height], dtype=np.float64)


def iou_matrix(first: Float64[np.ndarray, "P 4"], second: Float64[np.ndarray, "Q 4"]) -> Float64[np.ndarray, "P Q"]:
    """Compute the intersection over union of every pair of boxes.

    Args:
        first: Corners, `[P, 4]`.
        second: Corners in the same unit, `[Q, 4]`.

    Returns:
        IoU from 0 to 1, `[P, Q]`, without the "+1" of counting pixels; 0 where both boxes are empty.
    """
    top_left = np.maximum(first[:, None, :2], second[None, :, :2])
    bottom_right = np.minimum(first[:, None, 2:], second[None, :, 2:])
    intersection = np.clip(bottom_right - top_left, 0, None).prod(axis=2)
    area_first = (first[:, 2:] - first[:, :2]).clip(0).prod(axis=1)
    area_second = (second[:, 2:] - second[:, :2]).clip(0).prod(axis=1)
    union = area_first[:, None] + area_second[None, :] - intersection
    return np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)


def rois_from_boxes(boxes: list[Float[Tensor, "_ 4"]]) -> Float[Tensor, "R 5"]:
    """Stack the boxes of a batch of clips into one tensor, as RoIAlign takes them.

    Args:
        boxes: The boxes of each clip in pixels, `[R_i, 4]`; a clip may have none.

    Returns:
        One row `(clip index, x1, y1, x2, y2)` per box, `[R, 5]`.
    """
    rows = [
        torch.cat([torch.full((len(clip_boxes), 1), float(index)), clip_boxes], dim=1)
        for index, clip_boxes in enumerate(boxes)
    ]
    return torch.cat(rows) if rows else torch.zeros(0, 5)
