"""Precision-recall curves, one small chart per class."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from lfb_lightning.viz.saving import save_figure

Curve = tuple[str, float, np.ndarray, np.ndarray]


def draw_pr_curves(path: str | Path, curves: list[Curve], *, title: str, columns: int = 8) -> None:
    """Draw one chart per class: the curve as measured (thin line) and interpolated (filled area).

    Args:
        path: The file to write; its ending names the form.
        curves: Per class its name, AP, precision `[K]` and recall `[K]`.
        title: The figure's title.
        columns: How many charts stand side by side, at most.

    Raises:
        InputError: The file cannot be written.
    """
    columns = max(1, min(columns, len(curves)))
    rows = max(1, math.ceil(len(curves) / columns))
    figure = Figure(figsize=(1.7 * columns + 0.4, 1.75 * rows + 0.6), layout="constrained")
    axes = np.asarray(figure.subplots(rows, columns, squeeze=False)).reshape(-1)
    for axis in axes[len(curves) :]:
        axis.set_axis_off()
    for axis, (name, ap, precision, recall) in zip(axes, curves, strict=False):
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        edge = np.append(0.0, recall)
        axis.fill_between(edge, np.append(envelope[:1], envelope), step="pre", alpha=0.25, linewidth=0)
        axis.plot(recall, precision, linewidth=0.8)
        axis.set(xlim=(0, 1), ylim=(0, 1.03), xticks=[0, 1], yticks=[0, 1])
        axis.tick_params(labelsize=6)
        axis.set_title(f"{name[:24]}\nAP {ap:.3f}", fontsize=7)
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=10)
    save_figure(figure, path, dpi=130)
