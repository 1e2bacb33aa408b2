"""Boxes: xyxy, either normalised to [0, 1] (files, evaluation) or in pixels of a transformed clip (RoIAlign)."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor


def pixels_from_normalised(boxes: Float64[np.ndarray, "P 4"], height: int, width: int) -> Float64[np.ndarray, "P 4"]:
    """Pixel boxes of a `height` x `width` image; the right edge of a full box is `width`, not `width - 1`."""
    return boxes * np.array([width, height, width, height], dtype=np.float64)


def iou_matrix(first: Float64[np.ndarray, "P 4"], second: Float64[np.ndarray, "Q 4"]) -> Float64[np.ndarray, "P Q"]:
    """Intersection over union of every pair, in float64 and without the "+1" of pixel counting; 0 for empty boxes."""
    top_left = np.maximum(first[:, None, :2], second[None, :, :2])
    bottom_right = np.minimum(first[:, None, 2:], second[None, :, 2:])
    intersection = np.clip(bottom_right - top_left, 0, None).prod(axis=2)
    area_first = (first[:, 2:] - first[:, :2]).clip(0).prod(axis=1)
    area_second = (second[:, 2:] - second[:, :2]).clip(0).prod(axis=1)
    union = area_first[:, None] + area_second[None, :] - intersection
    return np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)


def rois_from_boxes(boxes: list[Float[Tensor, "_ 4"]]) -> Float[Tensor, "R 5"]:
    """Stack the clips' pixel boxes as RoIAlign wants them: (clip index, x1, y1, x2, y2)."""
    rows = [
        torch.cat([torch.full((len(clip_boxes), 1), float(index)), clip_boxes], dim=1)
        for index, clip_boxes in enumerate(boxes)
    ]
    return torch.cat(rows) if rows else torch.zeros(0, 5)
