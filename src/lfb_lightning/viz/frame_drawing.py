"""Draws persons and their actions into one frame, as the overlay video has them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from lfb_lightning.viz.video_drawing import PersonPainter, Planes
from lfb_lightning.viz.video_persons import TrackedPerson

# BT.601 for full-range RGB and limited-range YCbCr, 0..255.
_TO_YUV = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]) / 255
_OFFSET = np.array([16.0, 128.0, 128.0])


def draw_persons(frame: UInt8[np.ndarray, "H W 3"], persons: Sequence[TrackedPerson]) -> UInt8[np.ndarray, "H W 3"]:
    """Draw boxes, tracks and actions into a copy of a frame; pixels beside them stay as they are.

    Args:
        frame: RGB.
        persons: Who is drawn.
    """
    height, width = frame.shape[:2]
    even = np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    yuv = even @ _TO_YUV.T + _OFFSET
    small = yuv.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2, 3).mean(axis=(1, 3))
    before = Planes(*(np.rint(plane).astype(np.uint8) for plane in (yuv[:, :, 0], small[:, :, 1], small[:, :, 2])))
    drawn = Planes(*(plane.copy() for plane in before))
    PersonPainter(width=even.shape[1], height=even.shape[0], bt709=False).draw(drawn, persons, 0)
    changed = (drawn.y != before.y) | _doubled((drawn.u != before.u) | (drawn.v != before.v))
    planes = np.stack([drawn.y, _doubled(drawn.u), _doubled(drawn.v)], axis=2)
    rgb = np.clip(np.rint((planes - _OFFSET) @ np.linalg.inv(_TO_YUV).T), 0, 255).astype(np.uint8)
    return np.where(changed[:, :, None], rgb, even)[:height, :width]


def _doubled(plane: np.ndarray) -> np.ndarray:
    return plane.repeat(2, axis=0).repeat(2, axis=1)
