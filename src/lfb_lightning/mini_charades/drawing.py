"""The pictures of mini-Charades: RGB frames of a scene.

The four kinds of cues are squares of as many patterns: outlines of 14 pixels (a disk, a cross, ...) were not told apart by
the tiny backbone in ten times the steps.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from lfb_lightning.mini_ava.drawing import BACKGROUND
from lfb_lightning.mini_ava.figure import SIZE
from lfb_lightning.mini_charades.scenario import Scene

_COLORS = ((230, 50, 50), (50, 190, 80), (60, 110, 235), (235, 205, 50), (170, 80, 210))
_DRIFTER_HALF, _RING_RADIUS = 5, 16
_CELLS, _CELL = 4, 6  # of a cue's pattern, a side; pixels of each, a side


def draw_frame(scene: Scene, seconds: float) -> UInt8[np.ndarray, "H W 3"]:
    """Draw the frame at a time in seconds since the video's start: uint8 RGB, `[96, 96, 3]`."""
    image = Image.new("RGB", (SIZE, SIZE), BACKGROUND)
    canvas = ImageDraw.Draw(image)
    for drifter in scene.drifters:
        x, y = drifter.center(seconds)
        half = _DRIFTER_HALF
        canvas.rectangle((x - half, y - half, x + half, y + half), fill=(drifter.gray,) * 3)
    for event in scene.events:
        if not event.is_on(seconds):
            continue
        (x, y), color = event.place, _COLORS[event.color]
        if event.is_cue:
            draw_cue(canvas, x, y, event.kind, color)
        else:
            r = _RING_RADIUS
            canvas.ellipse((x - r, y - r, x + r, y + r), outline=color, width=4)
    return np.asarray(image)


def draw_cue(canvas: ImageDraw.ImageDraw, x: float, y: float, kind: int, color: tuple[int, int, int]) -> None:
    """Draw a cue: a square that is full, a fence, a ladder or a chessboard.

    Args:
        canvas: The picture.
        x: Where its middle is, in pixels from the left.
        y: The same from the top.
        kind: Which of them, 0 to 3.
        color: RGB.
    """
    left, top = round(x) - _CELLS * _CELL // 2, round(y) - _CELLS * _CELL // 2
    for column, row in product(range(_CELLS), repeat=2):
        if (True, column % 2 == 0, row % 2 == 0, (column + row) % 2 == 0)[kind]:
            at = left + column * _CELL, top + row * _CELL
            canvas.rectangle((*at, at[0] + _CELL - 1, at[1] + _CELL - 1), fill=color)
