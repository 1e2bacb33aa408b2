"""Which way up a stored picture is shown.

Phones store what the sensor saw and write a display matrix beside it that says how to turn it; annotation tools and players
show the turned picture, so the boxes refer to that one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from jaxtyping import UInt8

from lfb_lightning.errors import InputError

_TOLERANCE_DEGREES = 1.0  # what players take for upright too


@dataclass(frozen=True, slots=True)
class Orientation:
    """A stored picture is first mirrored left to right, if at all, then turned counter-clockwise by `rotation` degrees.

    `rotation` is -90, 0, 90 or 180; a phone held upright usually writes -90.
    """

    rotation: int = 0
    mirrored: bool = False

    @property
    def swaps_sides(self) -> bool:
        """Whether the stored height is the shown width."""
        return self.rotation % 180 != 0

    def show(self, picture: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "H W 3"]:
        """The picture as it is shown (a view of the stored one)."""
        return np.rot90(picture[:, ::-1] if self.mirrored else picture, self.rotation // 90)


def orientation_of(frame: av.VideoFrame, path: Path) -> Orientation:
    """What the frame's display matrix says; upright without one.

    Raises:
        InputError: the matrix turns it by something else than a right angle.
    """
    matrix = _display_matrix(frame)
    if matrix is None:
        return Orientation()
    a, b, c, d = (
        matrix[0],
        matrix[1],
        matrix[3],
        matrix[4],
    )  # the picture's x axis is shown along (a, b), y along (c, d)
    area = a * d - b * c
    if area == 0:
        return Orientation()
    if mirrored := area < 0:
        a, b = -a, -b
    angle = -math.degrees(math.atan2(b, a))
    rotation = 90 * round(angle / 90)
    if abs(angle - rotation) > _TOLERANCE_DEGREES:
        raise InputError(
            f"video {path}: its display matrix turns it by {angle:.0f} degrees; only right angles are read: encode it again, "
            "`ffmpeg -i IN OUT` turns the pictures themselves."
        )
    return Orientation(180 if rotation == -180 else rotation, mirrored)


def _display_matrix(frame: av.VideoFrame) -> list[int] | None:
    try:
        data: Any = frame.side_data.get("DISPLAYMATRIX")  # a buffer; PyAV states no type
    except (
        ValueError
    ):  # PyAV knows fewer kinds of side data than FFmpeg; one unknown kind hides all, mirroring included
        turn = {90: [0, -1, 0, 1, 0], -90: [0, 1, 0, -1, 0], 180: [-1, 0, 0, 0, -1], -180: [-1, 0, 0, 0, -1]}
        return turn.get(frame.rotation)
    return None if data is None else np.frombuffer(data, dtype=np.int32).tolist()
