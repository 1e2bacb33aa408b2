"""Drawing boxes and names into the planes of a YUV 4:2:0 picture.

Decoders and encoders speak YUV, so drawing there saves two conversions per picture, and what is not drawn on stays as it was.
Texts are rendered once and kept; drawing is copying rectangles then.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lfb_lightning.viz.label_places import Rectangle, choose_label, place_of
from lfb_lightning.viz.letter_fonts import font_for
from lfb_lightning.viz.video_persons import TrackedPerson

# Okabe and Ito's colors, which color-blind people tell apart, without black.
PALETTE = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7")
_DARK_COLORS = {"#0072B2"}  # white letters are readable on these, black ones on the others
_SMALLEST_LETTERS = 10  # pixels
# Y, U, V of R, G, B from 0 to 255, "limited" range.
_BT601 = np.array([[65.481, 128.553, 24.966], [-37.797, -74.203, 112.0], [112.0, -93.786, -18.214]]) / 255
_BT709 = np.array([[46.559, 156.629, 15.812], [-25.664, -86.336, 112.0], [112.0, -101.730, -10.270]]) / 255
_OFFSET = np.array([16.0, 128.0, 128.0])


class Planes(NamedTuple):
    """A picture as brightness and two planes of color, each uint8; color has half the rows and columns."""

    y: np.ndarray
    u: np.ndarray
    v: np.ndarray


class PersonPainter:
    """Draws persons into the pictures of one video.

    Args:
        width: Width of the pictures in pixels, even.
        height: Height in pixels, even.
        bt709: Whether the video's colors are those of BT.709 and not of BT.601.
    """

    def __init__(self, *, width: int, height: int, bt709: bool) -> None:
        self._width, self._height = width, height
        short = min(width, height)
        self._letters = max(_SMALLEST_LETTERS, round(5 + 0.0165 * short))
        self._line = max(2, 2 * round(short / 500))
        self._matrix = _BT709 if bt709 else _BT601
        self._chip = lru_cache(maxsize=512)(self._render)
        self._choices: dict[int, tuple[int, int]] = {}  # per person: the kind of place, and the number of lines
        self._moment = -1

    def draw(self, planes: Planes, persons: Sequence[TrackedPerson], moment: int) -> None:
        """Draw persons with their actions.

        Args:
            planes: The picture, which is changed.
            persons: The persons.
            moment: A number that changes when actions may have changed; labels change sides only then, so that they are calm.
        """
        boxes = [self._pixels(person.box) for person in persons]
        labels = [self._label(person) for person in persons]
        if moment != self._moment or any(person.track not in self._choices for person in persons):
            self._moment = moment
            self._choose(persons, boxes, [_sizes(label) for label in labels])
        for person, box in zip(persons, boxes, strict=True):
            self._outline(planes, box, self._yuv(_track_color(person.track)))
        numbers = []
        for person, box, label in zip(persons, boxes, labels, strict=True):
            kind, lines = self._choices[person.track]
            shown = label[:lines]
            place = place_of(kind, box, _sizes(shown)[-1], self._width, self._height)
            numbers.append((label[0], place))
            y = place.y1
            for chip in shown:
                _paste(planes, chip, place.x1, y)
                y += chip.y.shape[0]
        for number, place in numbers:  # over everything else, so that no person is without one
            _paste(planes, number, place.x1, place.y1)

    def _choose(
        self, persons: Sequence[TrackedPerson], boxes: Sequence[Rectangle], sizes: Sequence[list[tuple[int, int]]]
    ) -> None:
        chosen: dict[int, tuple[int, int]] = {}
        taken: list[Rectangle] = []
        for index, person in enumerate(persons):
            others = [*boxes[:index], *boxes[index + 1 :], *taken]
            usual = self._choices.get(person.track, (-1, 0))[0]
            kind, lines = choose_label(boxes[index], sizes[index], others, self._width, self._height, usual=usual)
            chosen[person.track] = kind, lines
            taken.append(place_of(kind, boxes[index], sizes[index][lines - 1], self._width, self._height))
        self._choices = chosen

    def _pixels(self, box: tuple[float, float, float, float]) -> Rectangle:
        x1, y1, x2, y2 = box
        width, height = self._width, self._height
        return Rectangle(round(x1 * width), round(y1 * height), round(x2 * width), round(y2 * height))

    def _label(self, person: TrackedPerson) -> list[Planes]:
        number = self._chip(str(person.track), _track_color(person.track))
        return [number, *(self._chip(f"{name}  {score:.2f}", "") for name, score in person.actions)]

    def _outline(self, planes: Planes, box: Rectangle, color: np.ndarray) -> None:
        line = self._line
        x1, y1 = box.x1 - box.x1 % 2, box.y1 - box.y1 % 2
        x2, y2 = max(box.x2 - box.x2 % 2, x1 + 2 * line), max(box.y2 - box.y2 % 2, y1 + 2 * line)
        for left, top, right, bottom in (
            (x1, y1, x2, y1 + line),
            (x1, y2 - line, x2, y2),
            (x1, y1, x1 + line, y2),
            (x2 - line, y1, x2, y2),
        ):
            for plane, value, shrink in zip(planes, color, (1, 2, 2), strict=True):
                rows = slice(max(top, 0) // shrink, max(bottom, 0) // shrink)
                plane[rows, max(left, 0) // shrink : max(right, 0) // shrink] = value

    def _render(self, text: str, color: str) -> Planes:
        """Render a line of text in a dark field, or in a field of the given color."""
        pad = 2 * max(1, self._letters // 6)
        font = ImageFont.truetype(font_for(text), self._letters)
        text = _shortened(text, font, self._width - 2 * pad)
        width = 2 * ((round(font.getlength(text)) + 2 * pad + 1) // 2)
        height = 2 * ((round(1.3 * self._letters) + 1) // 2)
        image = Image.new("RGB", (width, height), color or "#1b1b1b")
        letters = "white" if not color or color in _DARK_COLORS else "black"
        ImageDraw.Draw(image).text((pad, height // 2), text, font=font, fill=letters, anchor="lm")
        yuv = np.asarray(image) @ self._matrix.T + _OFFSET
        color_planes = yuv.reshape(height // 2, 2, width // 2, 2, 3).mean(axis=(1, 3))[..., 1:]
        y, u, v = (np.round(plane).astype(np.uint8) for plane in (yuv[..., 0], *np.moveaxis(color_planes, 2, 0)))
        return Planes(y, u, v)

    def _yuv(self, color: str) -> np.ndarray:
        rgb = np.array([int(color[place : place + 2], 16) for place in (1, 3, 5)])
        return np.round(self._matrix @ rgb + _OFFSET).astype(np.uint8)


def _sizes(label: Sequence[Planes]) -> list[tuple[int, int]]:
    """Return a label's width and height with its first line, with its first two lines, and so on."""
    widths = accumulate((chip.y.shape[1] for chip in label), max)
    return list(zip(widths, accumulate(chip.y.shape[0] for chip in label), strict=True))


def _shortened(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    if font.getlength(text) <= width:
        return text
    while len(text) > 1 and font.getlength(text + "…") > width:
        text = text[:-1]
    return text + "…"


def _track_color(track: int) -> str:
    return PALETTE[track % len(PALETTE)]


def _paste(planes: Planes, chip: Planes, x: int, y: int) -> None:
    """Copy a chip to an even place; what lies outside of the picture is left out."""
    x, y = max(x - x % 2, 0), max(y - y % 2, 0)
    for plane, patch, shrink in zip(planes, chip, (1, 2, 2), strict=True):
        part = plane[y // shrink : y // shrink + patch.shape[0], x // shrink : x // shrink + patch.shape[1]]
        part[:] = patch[: part.shape[0], : part.shape[1]]
