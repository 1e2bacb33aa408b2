"""Where a label goes beside a box, so that it hides as little of other persons as possible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

_KINDS = 5  # above, below, right, left, inside
_MOST_COVERED = 0.1  # of another person's box or label, or else the label becomes shorter
_CALM = 0.1  # a label changes sides only if that uncovers so much of its area


class Rectangle(NamedTuple):
    """A rectangle in pixels."""

    x1: int
    y1: int
    x2: int
    y2: int


def place_of(kind: int, box: Rectangle, size: tuple[int, int], width: int, height: int) -> Rectangle:
    """Return a label's place of one kind, moved into the picture.

    Args:
        kind: 0 above the box, 1 below, 2 to the right, 3 to the left, 4 inside at the top.
        box: The person's box.
        size: The label's width and height.
        width: The picture's width.
        height: The picture's height.
    """
    x, y = (
        (box.x1, box.y1 - size[1]),
        (box.x1, box.y2),
        (box.x2, box.y1),
        (box.x1 - size[0], box.y1),
        (box.x1, box.y1),
    )[kind]
    x, y = max(0, min(x, width - size[0])), max(0, min(y, height - size[1]))
    return Rectangle(x, y, x + size[0], y + size[1])


def choose_label(
    box: Rectangle,
    sizes: Sequence[tuple[int, int]],
    others: Sequence[Rectangle],
    width: int,
    height: int,
    *,
    usual: int,
) -> tuple[int, int]:
    """Choose a label's place and its number of lines: all of them, or fewer where they would hide another person or label.

    Args:
        box: The person's box.
        sizes: The label's width and height with one line, with two, and so on.
        others: Boxes and labels of other persons.
        width: The picture's width.
        height: The picture's height.
        usual: The kind of place that the label has now, which it keeps for little; -1 for a new label.

    Returns:
        The kind of place, for `place_of`, and the number of lines.
    """
    kind = 0
    for lines in range(len(sizes), 0, -1):
        kind = _least_covering(box, sizes[lines - 1], others, width, height, usual)
        place = place_of(kind, box, sizes[lines - 1], width, height)
        if all(_overlap(place, other) <= _MOST_COVERED * _area(other) for other in others):
            return kind, lines
    return kind, 1


def _least_covering(
    box: Rectangle, size: tuple[int, int], others: Sequence[Rectangle], width: int, height: int, usual: int
) -> int:
    def cost(kind: int) -> tuple[float, int]:
        place = place_of(kind, box, size, width, height)
        covered = sum(_overlap(place, other) for other in others) + _overlap(place, box)
        return covered / _area(place) + (0.0 if kind == usual else _CALM), kind

    return min(range(_KINDS), key=cost)


def _area(box: Rectangle) -> int:
    return max((box.x2 - box.x1) * (box.y2 - box.y1), 1)


def _overlap(first: Rectangle, second: Rectangle) -> int:
    width = min(first.x2, second.x2) - max(first.x1, second.x1)
    height = min(first.y2, second.y2) - max(first.y1, second.y1)
    return width * height if width > 0 and height > 0 else 0
