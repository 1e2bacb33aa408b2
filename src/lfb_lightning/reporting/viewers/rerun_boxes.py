"""Persons of a key frame as Rerun's boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lfb_lightning.reporting.viewers.scenes import TRUTH, Person
from lfb_lightning.viz.style import GREEN, ORANGE, PURPLE, SKY, VERMILION, YELLOW

if TYPE_CHECKING:
    import rerun as rr

_CYCLE = (SKY, ORANGE, PURPLE, YELLOW, VERMILION)  # seen on the viewer's black; green is ground truth
_MOST, _LONGEST = 3, 40  # actions beside a box, and letters of one
_SIGNS = {True: "+", False: "-", None: ""}


def boxes_of(
    layer: str, place: int, persons: Sequence[Person], names: Mapping[int, str], size: tuple[int, int]
) -> rr.Boxes2D:
    """Make the boxes of a layer, in pixels; a box's class is that of its best action.

    Args:
        layer: The layer's name.
        place: The layer's number, which chooses its color.
        persons: Whom it shows.
        names: The actions' names.
        size: Width and height of the picture in pixels.
    """
    import rerun as rr

    corners = np.array([person.box for person in persons], np.float64).reshape(-1, 4) * [*size, *size]
    return rr.Boxes2D(
        array=corners,
        array_format=rr.Box2DFormat.XYXY,
        labels=[label_of(person, names) for person in persons],
        colors=[_color(layer, place, person) for person in persons],
        class_ids=[person.marks[0].action if person.marks else 0 for person in persons],
        show_labels=True,
    )


def label_of(person: Person, names: Mapping[int, str]) -> str:
    """Write who a person is and what they do: `#3 + stand 0.93, - talk 0.41`, where + was judged right and - wrong.

    Args:
        person: The person.
        names: The actions' names.
    """
    words = [
        f"{_SIGNS[mark.right]} {_short(names.get(mark.action, str(mark.action)))}"
        f"{'' if mark.score is None else f' {mark.score:.2f}'}".strip()
        for mark in person.marks[:_MOST]
    ]
    more = [f"{len(person.marks) - _MOST} more"] if len(person.marks) > _MOST else []
    return " ".join(filter(None, ["" if person.track is None else f"#{person.track}", ", ".join(words + more)]))


def color_of(track: int) -> list[int]:
    """Return the color of a track, red, green and blue of 0 to 255.

    Args:
        track: Its number.
    """
    return _rgb(_CYCLE[track % len(_CYCLE)])


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _color(layer: str, place: int, person: Person) -> list[int]:
    judged = [mark.right for mark in person.marks]
    if layer == TRUTH:
        color = GREEN
    elif person.track is not None:
        return color_of(person.track)
    elif judged and judged[0] is not None:
        color = SKY if any(judged) else VERMILION
    else:
        color = _CYCLE[place % len(_CYCLE)]
    return _rgb(color)


def _rgb(color: str) -> list[int]:
    return [int(color[start : start + 2], 16) for start in (1, 3, 5)]
