"""Precision-recall curves, one small chart per class."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lfb_lightning.viz.saving import save_figure
from lfb_lightning.viz.style import BLUE, SMALL, say_empty, styled, wrapped
from lfb_lightning.viz.style import title as set_title

Curve = tuple[str, float, np.ndarray, np.ndarray]
_PANEL = 1.55  # inches


@styled
def draw_pr_curves(path: str | Path, curves: list[Curve], *, title: str, columns: int = 8) -> None:
    """Draw one chart per class: the curve as measured (thin line) and interpolated (filled area).

    Args:
        path: The file to write; its ending names the form.
        curves: Per class its name, AP (NaN where it has none), precision `[K]` and recall `[K]`.
        title: The figure's title.
        columns: How many charts stand side by side, at most.

    Raises:
        InputError: The file cannot be written.
    """
    columns = max(1, min(columns, len(curves)))
    rows = max(1, math.ceil(len(curves) / columns))
    figure = Figure(figsize=(max(_PANEL * columns + 0.5, 3.2), 1.75 * rows + 1.0), layout="constrained")
    set_title(figure, title)
    if curves:
        panels = np.asarray(figure.subplots(rows, columns, squeeze=False)).reshape(-1)
        for panel, curve in zip(panels, curves, strict=False):
            _draw(panel, *curve)
        for panel in panels[len(curves) :]:
            panel.set_axis_off()
        figure.supxlabel("recall", fontsize=SMALL + 1)
        figure.supylabel("precision", fontsize=SMALL + 1)
    else:
        say_empty(figure, "no class has annotated boxes")
    save_figure(figure, path, dpi=130)


def _draw(panel: Axes, name: str, ap: float, precision: np.ndarray, recall: np.ndarray) -> None:
    if len(precision):
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        edge = np.append(0.0, recall)
        top = np.append(envelope[:1], envelope)
        panel.fill_between(edge, top, step="pre", color=BLUE, alpha=0.22, linewidth=0)
        panel.plot(recall, precision, linewidth=0.9, color=BLUE)
    panel.set(xlim=(0, 1), ylim=(0, 1.04), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    panel.set_xticklabels(["0", ".5", "1"])
    panel.set_yticklabels(["0", ".5", "1"])
    panel.tick_params(labelsize=SMALL - 1, length=2)
    score = "AP n/a" if math.isnan(ap) else f"AP {ap:.3f}"
    panel.set_title(f"{wrapped(name, _PANEL - 0.25, SMALL, lines=3)}\n{score}", fontsize=SMALL)
