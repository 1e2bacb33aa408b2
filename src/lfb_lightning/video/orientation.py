"""How a stored picture is turned to be shown.

Phones store pictures as the sensor sees them, with a display matrix that says how to turn them. Annotation tools and
players show the turned pictures, so boxes refer to those.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from jaxtyping import UInt8

from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.url import Place

_TOLERANCE_DEGREES = 1.0  # players ignore such small angles too


@dataclass(frozen=True, slots=True)
class Orientation:
    """How to show a stored picture: first mirror it, if at all, then turn it.

    Args:
        rotation: Degrees counter-clockwise: -90, 0, 90 or 180. A phone held upright usually writes -90.
        mirrored: Whether left and right are swapped.
    """

    rotation: int = 0
    mirrored: bool = False

    @property
    def swaps_sides(self) -> bool:
        """Whether the stored height is the shown width."""
        return self.rotation % 180 != 0

    def show(self, picture: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "H W 3"]:
        """Return a stored picture `[h, w, 3]` as it is shown, `[H, W, 3]`; the result shares its memory."""
        return np.rot90(picture[:, ::-1] if self.mirrored else picture, self.rotation // 90)


def orientation_of(frame: av.VideoFrame, path: Place) -> Orientation:
    """Read the orientation from a frame's display matrix; without one, the picture is upright.

    Args:
        frame: A decoded frame.
        path: The video file, for messages.

    Raises:
        InputError: The matrix turns the picture by an angle that is not a multiple of 90 degrees.
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
    except ValueError:
        # PyAV knows fewer kinds of side data than FFmpeg, and one unknown kind hides all of them, mirroring included.
        turn = {90: [0, -1, 0, 1, 0], -90: [0, 1, 0, -1, 0], 180: [-1, 0, 0, 0, -1], -180: [-1, 0, 0, 0, -1]}
        return turn.get(frame.rotation)
    return None if data is None else np.frombuffer(data, dtype=np.int32).tolist()
