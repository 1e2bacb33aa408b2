"""Checks what every reader asks of boxes: corners in order, as fractions of the picture.

Boxes of pixels would be clipped to nothing, train to a loss of 0 and test to an mAP of 0 without a word. AVA's own
files lie within 0..1 exactly; tools that round, or count the last pixel twice, overshoot by up to a pixel, which is
0.01 of a small picture. Those boxes are kept as they are: clips clip them, evaluation compares them as the official
tool does. So are boxes without area, which rounding to three decimals makes of small ones: nothing can match them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lfb_lightning.errors import InputError

BOX_COLUMNS = ["x1", "y1", "x2", "y2"]
OVERSHOOT = 0.01
_PIXELS = 2.0  # no box that reaches further can overlap one within 0..1 by half
DIVIDE = "divide pixels in x by the picture's width, in y by its height, and clip boxes that reach outside"


def box_fault(corners: Sequence[np.ndarray], *, remedy: str = DIVIDE) -> tuple[int, str] | None:
    """Find the first of N boxes that is not within 0..1, or inverted.

    Args:
        corners: x1, y1, x2 and y2, `[N]` each.
        remedy: What to do about boxes that are not within 0..1, for the message.

    Returns:
        The box's place and what is wrong with it; None if all boxes are well.
    """
    x1, y1, x2, y2 = corners
    if all(_lies_within(corner) for corner in corners) and not ((x2 < x1).any() or (y2 < y1).any()):
        return None
    boxes = np.stack(corners, axis=1)
    inside = np.all((boxes >= -OVERSHOOT) & (boxes <= 1 + OVERSHOOT), axis=1)  # NaN is not
    row = int(np.argmax(~inside | (x2 < x1) | (y2 < y1)))
    box = boxes[row].tolist()
    if inside[row]:
        return row, f"box {box} has x2 < x1 or y2 < y1; expected the corners x1,y1,x2,y2"
    if not np.isfinite(box).all():
        return row, f"box {box}, expected finite numbers within 0..1"
    return row, f"box {box} is not within 0..1; expected fractions of the picture: {remedy}"


def refuse_faulty(rows: pd.DataFrame, path: Path, name: Callable[[int], str], remedy: str = DIVIDE) -> None:
    """Raise InputError for the first row, as `name` calls it, with a box or a score that nobody can use."""
    scored = np.isfinite(rows["score"].to_numpy())
    if not scored.all():
        place = int(np.flatnonzero(~scored)[0])
        raise InputError(
            f"proposals {path}, {name(place)}: score is {rows['score'].iloc[place]}, expected a finite number."
        )
    fault = box_fault([rows[column].to_numpy() for column in BOX_COLUMNS], remedy=remedy)
    if fault is not None:
        raise InputError(f"proposals {path}, {name(fault[0])}: {fault[1]}.")


def are_pixels(boxes: np.ndarray) -> np.ndarray:
    """Say which boxes `[N, 4]` reach so far outside of 0..1 that no box within overlaps them by half."""
    return np.any((boxes > _PIXELS) | (boxes < -_PIXELS), axis=1)


def _lies_within(values: np.ndarray) -> bool:
    return bool(values.min(initial=0.0) >= -OVERSHOOT and values.max(initial=1.0) <= 1 + OVERSHOOT)
