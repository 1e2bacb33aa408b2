"""A picture of a keyframe with its persons' boxes, their annotated actions, and the actions that a detector predicts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from lfb_lightning.viz.saving import save_figure
from lfb_lightning.viz.style import (
    BLACK,
    CYCLE,
    GRAY,
    GREEN,
    LINE,
    SKY,
    TEXT,
    TITLE,
    VERMILION,
    YELLOW,
    Page,
    styled,
    text_width,
    wrapped,
)

_HIT, _WRONG, _MISSED, _UNJUDGED = (GREEN, "✓"), (VERMILION, "✗"), (GRAY, "○"), (BLACK, "")
_MEANING = {_HIT: "predicted and annotated", _WRONG: "predicted only", _MISSED: "annotated only"}
_MARGIN, _GAP = 0.25, 0.3  # inches: around everything, and between columns
_STEP = TEXT * LINE / 72  # inches from one line of text to the next
_BESIDE, _ABOVE = (
    5.6,
    (12.0, 7.0),
)  # inches: the longer side of a frame beside the text; width and height of one above it
_LONGEST = 3.2  # inches of an action's name
_MOST = 24  # actions in one block of text
_CHIP = (0.2, 0.15)  # inches, of a number on the frame


@dataclass(frozen=True, slots=True)
class OverlayPerson:
    """One detected person.

    Args:
        box: Corners `x1, y1, x2, y2` as fractions of the picture.
        predicted: Predicted actions with their scores.
        actual: The annotated actions, or None where nobody was annotated.
    """

    box: tuple[float, float, float, float]
    predicted: list[tuple[str, float]]
    actual: list[str] | None


Line = tuple[str, tuple[str, str]]  # its words, and the color and the sign of what they mean


@styled
def draw_overlay(
    path: str | Path, frame: UInt8[np.ndarray, "H W 3"], persons: list[OverlayPerson], *, title: str
) -> None:
    """Draw a frame with numbered boxes, and each person's actions beside it, in as many columns as they need.

    An action is green with a check mark if it is predicted and annotated, vermilion with a cross if it is predicted only, and
    gray with a circle if it is annotated only; it is black where the person was not annotated, so that nothing is known.

    Args:
        path: The file to write; its ending names the form.
        frame: The keyframe, RGB.
        persons: The detected persons.
        title: The picture's title.

    Raises:
        InputError: The file cannot be written.
    """
    blocks = [block for number, person in enumerate(persons, 1) for block in _blocks(number, person)]
    used = [meaning for meaning in _MEANING if any(meaning == style for block in blocks for _, style in block)]
    widths = [text_width(f"{sign} {words}", TEXT, bold=True) for block in blocks for words, (_, sign) in block]
    column = max([*widths, 1.5]) + _GAP
    scale = _BESIDE / max(frame.shape[:2])
    columns = _columns(blocks, max(frame.shape[0] * scale, 2.0))
    beside = len(columns) <= 2
    if not beside:
        scale = min(_ABOVE[0] / frame.shape[1], _ABOVE[1] / frame.shape[0])
        columns = _dealt(blocks, max(int(_ABOVE[0] / column), 2))
        column = max(column, _ABOVE[0] / len(columns))
    shown = (frame.shape[1] * scale, frame.shape[0] * scale)
    text = (column * len(columns), max([_lines(part) * _STEP for part in columns]))
    under = shown[1] + _STEP * (len(used) + 1)  # the frame with its legend
    if beside:
        left, down = _MARGIN + max(shown[0], 2.6) + _GAP, 0.0
        width, tall = left + text[0] + _MARGIN, max(under, text[1], 1.5)
    else:
        left, down = _MARGIN, under
        width, tall = max(shown[0], text[0]) + 2 * _MARGIN, under + text[1]
    heading = wrapped(title, width - 2 * _MARGIN, TITLE)
    top = _MARGIN + (heading.count("\n") + 1.4) * TITLE * LINE / 72
    page = Page(width, top + tall + _MARGIN)
    page.write(_MARGIN, _MARGIN, heading, fontsize=TITLE)
    _draw_frame(page.axes(_MARGIN, top, *shown), frame, persons, shown)
    for place, (color, sign) in enumerate(used):
        page.write(_MARGIN, top + shown[1] + (place + 0.5) * _STEP, f"{sign} {_MEANING[color, sign]}", color=color)
    if not persons:
        page.write(left, top, "no person", color=GRAY)
    for number, part in enumerate(columns):
        _write_column(page, left + number * column, top + down, part)
    save_figure(page.figure, path, dpi=130)


def _write_column(page: Page, x: float, y: float, blocks: list[list[Line]]) -> None:
    for block in blocks:
        for at, (words, (color, sign)) in enumerate(block):
            page.write(x, y, f"{sign} {words}".strip(), color=color, weight="normal" if at else "bold")
            y += _STEP
        y += _STEP / 2


def _blocks(number: int, person: OverlayPerson) -> list[list[Line]]:
    known = "" if person.actual is not None else "  (not annotated)"
    actions = _actions(person)
    parts = [actions[first : first + _MOST] for first in range(0, max(len(actions), 1), _MOST)]
    return [
        [(f"person {number}{', continued' if at else ''}{known}", _UNJUDGED), *part] for at, part in enumerate(parts)
    ]


def _actions(person: OverlayPerson) -> list[Line]:
    ranked = sorted(person.predicted, key=lambda pair: -pair[1])
    named = {name for name, _ in person.predicted}

    def judged(name: str) -> tuple[str, str]:
        return _UNJUDGED if person.actual is None else _HIT if name in person.actual else _WRONG

    predicted = [(f"{wrapped(name, _LONGEST, TEXT, lines=1)}  {score:.2f}", judged(name)) for name, score in ranked]
    missed = [wrapped(name, _LONGEST, TEXT, lines=1) for name in person.actual or [] if name not in named]
    return predicted + [(name, _MISSED) for name in missed]


def _lines(blocks: list[list[Line]]) -> float:
    return sum((len(block) + 0.5 for block in blocks), 0.0)


def _columns(blocks: list[list[Line]], height: float) -> list[list[list[Line]]]:
    """Deal whole blocks into columns of a height, or of the height of the tallest block."""
    allowed = max([height, *(_lines([block]) * _STEP for block in blocks)])
    columns: list[list[list[Line]]] = [[]]
    for block in blocks:
        if columns[-1] and _lines([*columns[-1], block]) * _STEP > allowed:
            columns.append([])
        columns[-1].append(block)
    return columns


def _dealt(blocks: list[list[Line]], number: int) -> list[list[list[Line]]]:
    """Deal whole blocks into at most so many columns, as low as they can be."""
    height = _lines(blocks) * _STEP / number
    while len(columns := _columns(blocks, height)) > number:
        height += _STEP
    return columns


def _draw_frame(
    axes: Axes, frame: UInt8[np.ndarray, "H W 3"], persons: list[OverlayPerson], size: tuple[float, float]
) -> None:
    height, width = frame.shape[:2]
    axes.imshow(frame, aspect="auto")
    axes.set_axis_off()
    places = _chip_places([person.box for person in persons], size)
    for number, (person, place) in enumerate(zip(persons, places, strict=True), 1):
        color = CYCLE[(number - 1) % len(CYCLE)]
        x1, y1, x2, y2 = person.box
        corner, extent = (x1 * width, y1 * height), ((x2 - x1) * width, (y2 - y1) * height)
        axes.add_patch(Rectangle(corner, *extent, fill=False, edgecolor="white", linewidth=2.6))
        axes.add_patch(Rectangle(corner, *extent, fill=False, edgecolor=color, linewidth=1.5))
        left, top = place[0] / size[0] * width, place[1] / size[1] * height
        chip = (_CHIP[0] / size[0] * width, _CHIP[1] / size[1] * height)
        axes.add_patch(Rectangle((left, top), *chip, facecolor=color, edgecolor="white", linewidth=0.6, zorder=4))
        axes.text(
            left + chip[0] / 2,
            top + chip[1] / 2,
            str(number),
            color=BLACK if color in (YELLOW, SKY) else "white",
            fontsize=TEXT - 1.5,
            weight="bold",
            ha="center",
            va="center_baseline",
            zorder=5,
        )


def _chip_places(
    boxes: list[tuple[float, float, float, float]], size: tuple[float, float]
) -> list[tuple[float, float]]:
    """Find a place inside the frame for each box's number, at the box if there is room beside the others' numbers."""
    wide, high = _CHIP
    taken: list[tuple[float, float]] = []
    everywhere = [(x, y) for y in np.arange(0, size[1] - high, high) for x in np.arange(0, size[0] - wide, wide)]
    for x1, y1, x2, y2 in boxes:
        left, top, right, bottom = x1 * size[0], y1 * size[1], x2 * size[0], y2 * size[1]
        corners = [
            (left, top - high),
            (left, top),
            (right - wide, top),
            (left, bottom - high),
            (right - wide, bottom - high),
        ]
        inside = [(min(max(x, 0.0), size[0] - wide), min(max(y, 0.0), size[1] - high)) for x, y in corners]
        nearest = sorted(everywhere, key=lambda place: abs(place[0] - left) + abs(place[1] - top))
        free = (
            place
            for place in [*inside, *nearest]
            if all(abs(place[0] - x) >= wide or abs(place[1] - y) >= high for x, y in taken)
        )
        taken.append(next(free, inside[0]))
    return taken
