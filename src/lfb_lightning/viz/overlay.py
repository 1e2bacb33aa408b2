"""A picture of a keyframe with its persons' boxes, their annotated actions, and the actions that a detector predicts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lfb_lightning.viz.saving import save_figure

_HIT, _WRONG, _MISSED = "#2ca02c", "#d62728", "#888888"


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


def draw_overlay(
    path: str | Path, frame: UInt8[np.ndarray, "H W 3"], persons: list[OverlayPerson], *, title: str
) -> None:
    """Draw a frame with numbered boxes, and each person's actions beside it.

    Actions are green if predicted and true, red if predicted only, and gray if true only.

    Args:
        path: The file to write; its ending names the form.
        frame: The keyframe, RGB.
        persons: The detected persons.
        title: The picture's title.

    Raises:
        InputError: The file cannot be written.
    """
    height, width = frame.shape[:2]
    figure = Figure(figsize=(9, 4.8), layout="constrained")
    picture, text = figure.subplots(1, 2, width_ratios=[1.1, 1])
    picture.imshow(frame)
    picture.set_axis_off()
    text.set_axis_off()
    figure.suptitle(title, fontsize=11)
    y = 1.0
    for number, person in enumerate(persons, 1):
        x1, y1, x2, y2 = person.box
        corner = (x1 * width, y1 * height)
        picture.add_patch(
            Rectangle(corner, (x2 - x1) * width, (y2 - y1) * height, fill=False, edgecolor="white", linewidth=1.5)
        )
        picture.text(
            *corner, str(number), color="black", backgroundcolor="white", fontsize=7, verticalalignment="bottom"
        )
        lines = _lines(person)
        text.text(0.0, y, f"person {number}", fontsize=9, weight="bold", transform=text.transAxes)
        y -= 0.052
        for line, color in lines:
            text.text(0.05, y, line, fontsize=9, color=color, transform=text.transAxes)
            y -= 0.052
        y -= 0.02
    text.text(0.0, -0.04, "true and predicted", fontsize=8, color=_HIT, transform=text.transAxes)
    text.text(0.4, -0.04, "predicted only", fontsize=8, color=_WRONG, transform=text.transAxes)
    text.text(0.7, -0.04, "true only", fontsize=8, color=_MISSED, transform=text.transAxes)
    save_figure(figure, path, dpi=130)


def _lines(person: OverlayPerson) -> list[tuple[str, str]]:
    actual = person.actual or []
    lines = [
        (f"{name}  {score:.2f}", _HIT if name in actual else _WRONG)
        for name, score in sorted(person.predicted, key=lambda pair: -pair[1])
    ]
    named = {name for name, _ in person.predicted}
    return lines + [(name, _MISSED) for name in actual if name not in named]
