"""The pictures of mini-EPIC: RGB frames of a scene, and the boxes of the objects in them."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from lfb_lightning.mini_ava.drawing import BACKGROUND, draw_glyph
from lfb_lightning.mini_ava.figure import SIZE
from lfb_lightning.mini_epic.scenario import CLOSED_HALF, PUT, SHELF, SHELF_HALF, STOW_SECONDS, VERBS, Action, Scene

_COLORS = ((225, 50, 50), (45, 170, 75), (60, 100, 235), (230, 200, 50))
_GLYPH_COLORS = ((255, 255, 255), (10, 10, 10), (0, 235, 235), (255, 110, 200))  # of every fourth noun
_SKIN, _WOOD = (226, 170, 140), (110, 92, 80)
_GRAYS = ((150, 140, 100), (200, 200, 205), (120, 120, 135))  # sponge, cloth, lid
_HAND = 6.0
Box = tuple[float, float, float, float]


def draw_frame(scene: Scene, seconds: float) -> UInt8[np.ndarray, "H W 3"]:
    """Draw the frame at a time in seconds since the video's start: uint8 RGB, `[96, 96, 3]`."""
    image = Image.new("RGB", (SIZE, SIZE), BACKGROUND)
    canvas = ImageDraw.Draw(image)
    action = scene.at(seconds)
    if seconds < STOW_SECONDS:
        canvas.rectangle((0, SHELF[0][1] + SHELF_HALF[1], SIZE, SHELF[0][1] + SHELF_HALF[1] + 5), fill=_WOOD)
        for (x, y), color in zip(SHELF, scene.shelf, strict=True):
            canvas.rectangle(_corners(x, y, *SHELF_HALF), fill=_COLORS[color])
    if action is not None and action.verb == PUT:
        x, y = action.place
        _draw_thing(canvas, action.noun, x, y)
        _hand(canvas, x, y - SHELF_HALF[1] - 8 + 5 * _wave(seconds - action.start, 1.2))
    elif action is not None:
        _draw_handled(canvas, action, seconds - action.start)
    return np.asarray(image)


def object_boxes(scene: Scene, seconds: float) -> list[Box]:
    """Return the boxes of the objects in view at a time, corners in pixels; hands are none."""
    boxes = [_corners(x, y, *SHELF_HALF) for x, y in SHELF] if seconds < STOW_SECONDS else []
    action = scene.at(seconds)
    if action is not None and action.verb != PUT:
        x, y, _ = _posture(action, seconds - action.start)
        boxes.append(_corners(x, y, *CLOSED_HALF))
    return boxes


def _draw_handled(canvas: ImageDraw.ImageDraw, action: Action, elapsed: float) -> None:
    """Draw a closed box, or a rare thing, in the middle of a motion, and the hand that makes it."""
    x, y, angle = _posture(action, elapsed)
    width, height = CLOSED_HALF
    verb = VERBS[action.verb]
    if verb == "squeeze":
        width *= 0.75 + 0.25 * _wave(elapsed, 1.0)
    cos, sin = math.cos(angle), math.sin(angle)
    sides = ((-width, -height), (width, -height), (width, height), (-width, height))
    corners = [(x + a * cos - b * sin, y + a * sin + b * cos) for a, b in sides]
    if action.color is not None:
        canvas.polygon(corners, fill=_COLORS[action.color])
    else:
        canvas.polygon(corners, fill=_GRAYS[action.noun - 8])
    if verb == "wipe":
        _hand(canvas, x + 16 * _wave(elapsed, 0.8), y)
    elif verb == "tap":
        _hand(canvas, x, y - height - 6 + 6 * _wave(elapsed, 1.5))
    else:
        _hand(canvas, x, y + height)


def _posture(action: Action, elapsed: float) -> tuple[float, float, float]:
    """Say where the middle of what is handled is, in pixels, and by how much it is turned."""
    x, y = action.place
    verb = VERBS[action.verb]
    if verb == "shake":
        return x + 9 * _wave(elapsed, 1.4), y, 0.0
    if verb == "turn":
        return x, y, 2.2 * elapsed
    if verb == "lift":
        return x, y - 14 * _wave(elapsed, 0.5), 0.0
    if verb == "push":
        return x - 12 + 6 * elapsed, y, 0.0
    return x, y, 0.0


def _draw_thing(canvas: ImageDraw.ImageDraw, noun: int, x: float, y: float) -> None:
    """Draw what is put away: shape and color tell its noun."""
    color = _GLYPH_COLORS[noun % len(_GLYPH_COLORS)]
    if noun < 4:
        draw_glyph(canvas, x, y, noun, color)
    elif noun == 4:
        canvas.ellipse((x - 8, y - 8, x + 8, y + 8), outline=color, width=3)
    elif noun == 5:
        canvas.rectangle((x - 7, y - 7, x + 7, y + 7), fill=color)
    elif noun == 6:
        canvas.polygon((x, y - 9, x + 9, y, x, y + 9, x - 9, y), fill=color)
    else:
        for right, down in ((-5, -5), (5, -5), (-5, 5), (5, 5)):
            canvas.ellipse((x + right - 3, y + down - 3, x + right + 3, y + down + 3), fill=color)


def _hand(canvas: ImageDraw.ImageDraw, x: float, y: float) -> None:
    canvas.ellipse((x - _HAND, y - _HAND, x + _HAND, y + _HAND), fill=_SKIN)


def _wave(elapsed: float, per_second: float) -> float:
    return math.sin(2 * math.pi * per_second * elapsed)


def _corners(x: float, y: float, width: float, height: float) -> Box:
    return x - width, y - height, x + width, y + height
