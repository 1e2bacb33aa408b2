"""What decisions looked at, in Rerun: bars over the seconds, lines in the picture, and a table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from lfb_lightning.reporting.viewers.rerun_boxes import color_of
from lfb_lightning.reporting.viewers.scenes import PREDICTIONS, Look, Moment, Person

_LISTED, _DRAWN, _LEAST_DRAWN = 10, 3, 0.1  # entries in the table; lines of a person, and the attention of the weakest


def log_attention(
    log: Callable[..., None], moment: Moment, size: tuple[int, int], before: frozenset[int]
) -> frozenset[int]:
    """Log the attention of a key frame's decisions.

    Args:
        log: Called with the parts of a path below the video, and what is logged there.
        moment: The key frame.
        size: Width and height of the picture in pixels.
        before: The persons that the last key frame had bars of; those of them who are gone lose theirs.

    Returns:
        The persons that have bars now.
    """
    import rerun as rr

    attending = [one for one in moment.persons.get(PREDICTIONS, ()) if one.looks is not None and one.track is not None]
    tracks = frozenset(person.track for person in attending if person.track is not None)
    for track in before - tracks:
        log(["attention", f"person {track}"], rr.Clear(recursive=False))
    if not attending and not before:
        return tracks
    for person in attending:
        seconds, weights = over_seconds(person.looks or (), moment.second)
        log(["attention", f"person {person.track}"], rr.BarChart(weights, abscissa=seconds))
    lines = [(person, look) for person in attending for look in (person.looks or ())[:_DRAWN]
             if look.weight >= _LEAST_DRAWN]  # fmt: skip
    log(
        ["picture", "attention"],
        rr.LineStrips2D(
            [[_center(person.box, size), _center(look.box, size)] for person, look in lines],
            labels=[f"#{look.track} at {look.second:g} s: {look.weight:.2f}" for _, look in lines],
            radii=[-0.5 - 2 * look.weight for _, look in lines],  # negative: in points of the screen
            colors=[color_of(person.track or 0) for person, _ in lines],
            show_labels=False,
        ),
    )
    log(["looked_at"], rr.TextDocument(table(attending), media_type="text/markdown"))
    return tracks


def over_seconds(looks: Iterable[Look], now: float) -> tuple[np.ndarray, np.ndarray]:
    """Add up the attention to the entries of each time.

    Args:
        looks: The entries.
        now: The decision's second.

    Returns:
        Times in seconds from the decision, ascending, and their attention; a 0 where nothing was looked at.
    """
    weights: dict[float, float] = {}
    for look in looks:
        offset = round(look.second - now, 6)
        weights[offset] = weights.get(offset, 0.0) + look.weight
    offsets = sorted(weights) or [0.0]
    return np.array(offsets), np.array([weights.get(offset, 0.0) for offset in offsets])


def table(persons: Iterable[Person]) -> str:
    """Write the entries that decisions looked at most as a table of Markdown.

    Args:
        persons: Those who were decided on.
    """
    parts = []
    for person in persons:
        parts += [
            f"**Person {person.track}** looks at",
            "",
            "| attention | person | second | row |",
            "|---|---|---|---|",
        ]
        looks = list(person.looks or ())
        parts += [f"| {one.weight:.3f} | {one.track} | {one.second:g} | {one.row} |" for one in looks[:_LISTED]]
        others = person.rest + sum(one.weight for one in looks[_LISTED:])
        parts += [f"| {others:.3f} | others | | |", f"| {person.empty:.3f} | empty slots | | |", ""]
    return "\n".join(parts)


def _center(box: tuple[float, ...], size: tuple[int, int]) -> tuple[Any, Any]:
    x1, y1, x2, y2 = box
    return (x1 + x2) / 2 * size[0], (y1 + y2) / 2 * size[1]
