"""The pictures of mini-Charades: RGB frames of a scene, with mini-AVA's glyphs."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from lfb_lightning.mini_ava.drawing import BACKGROUND, draw_glyph
from lfb_lightning.mini_ava.figure import SIZE
from lfb_lightning.mini_charades.scenario import Scene

_COLORS = ((230, 50, 50), (50, 190, 80), (60, 110, 235), (235, 205, 50), (170, 80, 210))
_DRIFTER_HALF, _RING_RADIUS = 5, 12


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
            draw_glyph(canvas, x, y, event.kind, color)
        else:
            r = _RING_RADIUS
            canvas.ellipse((x - r, y - r, x + r, y + r), outline=color, width=4)
    return np.asarray(image)
