"""The pictures of mini-AVA: RGB frames of a scenario, and the actors' boxes in them.

Cue glyphs are colored, since the tiny backbone distinguished white ones only 58 % of the time. The background is one gray,
since varied backgrounds were memorized. Nothing ever occludes anything.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from lfb_lightning.mini_ava.figure import SIZE, Figure

BACKGROUND = (72, 72, 72)
_COLORS = ((214, 48, 49), (46, 174, 78), (52, 98, 219), (222, 196, 52), (150, 66, 186))
_CUE_COLORS = ((255, 150, 0), (0, 235, 235), (255, 110, 200))


def actor_box(actor: Figure, seconds: float) -> tuple[float, float, float, float]:
    """Return the box of an actor and the glyph on it, corners as fractions of the picture."""
    x, y = actor.center(seconds)
    half = actor.radius + 3
    return ((x - half) / SIZE, (y - half) / SIZE, (x + half) / SIZE, (y + half) / SIZE)


def draw_frame(actors: Sequence[Figure], seconds: float) -> UInt8[np.ndarray, "H W 3"]:
    """Draw the frame at a time in seconds since the video's start: uint8 RGB, `[96, 96, 3]`."""
    image = Image.new("RGB", (SIZE, SIZE), BACKGROUND)
    canvas = ImageDraw.Draw(image)
    for actor in actors:
        x, y = actor.center(seconds)
        r = actor.radius
        canvas.ellipse((x - r, y - r, x + r, y + r), fill=_COLORS[actor.color])
        event = actor.event_at(seconds)
        if event is None:
            continue
        if event.is_cue:
            draw_glyph(canvas, x, y, event.kind, _CUE_COLORS[event.kind])
        else:
            canvas.ellipse((x - r - 2, y - r - 2, x + r + 2, y + r + 2), outline=(255, 255, 255), width=3)
    return np.asarray(image)


def draw_glyph(canvas: ImageDraw.ImageDraw, x: float, y: float, kind: int, color: tuple[int, int, int]) -> None:
    """Draw a cue's glyph: a disk, a cross, three bars, or (in mini-Charades alone) a triangle.

    Args:
        canvas: The picture.
        x: Where its middle is, in pixels from the left.
        y: The same from the top.
        kind: Which of them, 0 to 3.
        color: RGB.
    """
    if kind == 0:
        canvas.ellipse((x - 6, y - 6, x + 6, y + 6), fill=color)
    elif kind == 1:
        canvas.rectangle((x - 7, y - 2, x + 7, y + 2), fill=color)
        canvas.rectangle((x - 2, y - 7, x + 2, y + 7), fill=color)
    elif kind == 2:
        for shift in (-6, 0, 6):
            canvas.rectangle((x + shift - 1, y - 7, x + shift + 1, y + 7), fill=color)
    else:
        canvas.polygon((x, y - 8, x + 8, y + 7, x - 8, y + 7), fill=color)
