"""Converting boxes in pixels or percent to fractions of the picture."""

from __future__ import annotations

import math

from lfb_lightning.errors import InputError

Corners = tuple[float, float, float, float]


def fractions_of(box: Corners, size: tuple[float, float], where: str) -> Corners:
    """Convert a box to fractions of the picture.

    Args:
        box: `x1, y1, x2, y2` in the unit of `size`.
        size: Width and height of the picture, in pixels or as 100 percent.
        where: The place in the file, for messages.

    Returns:
        `x1, y1, x2, y2` as fractions; a box that reaches outside of the picture is not cut.

    Raises:
        InputError: The size is not positive, or the box is not finite or inverted.
    """
    width, height = size
    if not (math.isfinite(width) and math.isfinite(height) and width > 0 and height > 0):
        raise InputError(f"{where}: the picture's size is {width:g}x{height:g}, expected pixels above 0.")
    if not all(map(math.isfinite, box)) or box[2] < box[0] or box[3] < box[1]:
        raise InputError(f"{where}: box {list(box)}, expected finite x1,y1,x2,y2 with x1 <= x2 and y1 <= y2.")
    x1, y1, x2, y2 = box
    return x1 / width, y1 / height, x2 / width, y2 / height


def hull_of_rotated(box: Corners, degrees: float, pivot: tuple[float, float]) -> Corners:
    """Find the upright box around a turned one.

    Args:
        box: `x1, y1, x2, y2` in pixels, before turning.
        degrees: By how much it is turned clockwise.
        pivot: The point about which it is turned, `x, y` in pixels.

    Returns:
        `x1, y1, x2, y2` in pixels.
    """
    turn = math.radians(degrees)
    corners = [(x - pivot[0], y - pivot[1]) for x in (box[0], box[2]) for y in (box[1], box[3])]
    xs = [pivot[0] + x * math.cos(turn) - y * math.sin(turn) for x, y in corners]
    ys = [pivot[1] + x * math.sin(turn) + y * math.cos(turn) for x, y in corners]
    return min(xs), min(ys), max(xs), max(ys)
