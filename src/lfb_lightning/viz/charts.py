"""Bar charts of metrics."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from lfb_lightning.viz.saving import save_figure


def bar_chart(path: str | Path, rows: Mapping[str, Mapping[str, float]], *, title: str, axis: str) -> None:
    """Draw grouped bars, with their values written on them.

    Args:
        path: The file to write; its ending names the form.
        rows: Values between 0 and 1 by the name of a group of bars and then by the name of a color.
        title: The chart's title.
        axis: The label of the vertical axis.

    Raises:
        InputError: The file cannot be written.
    """
    columns = list(next(iter(rows.values())))
    figure = Figure(figsize=(1.9 * len(rows) + 1.5, 4), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(columns)
    for number, column in enumerate(columns):
        offsets = [index + (number - (len(columns) - 1) / 2) * width for index in range(len(rows))]
        bars = axes.bar(offsets, [values[column] for values in rows.values()], width, label=column)
        axes.bar_label(bars, fmt="%.2f", fontsize=8, padding=2)
    axes.set_xticks(range(len(rows)), list(rows))
    axes.set_ylim(0, 1.12)
    axes.set_ylabel(axis)
    axes.set_title(title)
    axes.legend(ncols=len(columns), loc="upper center", fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    save_figure(figure, path, dpi=150)
