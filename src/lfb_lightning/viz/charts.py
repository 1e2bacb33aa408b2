"""Bar charts of metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from lfb_lightning.viz.saving import save_figure
from lfb_lightning.viz.style import CYCLE, GRAY, SMALL, legend_below, say_empty, styled, text_width, wrapped
from lfb_lightning.viz.style import title as set_title

_MOST_UPRIGHT = 10  # more groups than that lie on their side, a line for each
_BAR, _LYING_BAR = 0.4, 0.155  # inches, of a bar that its value is written on


@styled
def bar_chart(path: str | Path, rows: Mapping[str, Mapping[str, float]], *, title: str, axis: str) -> None:
    """Draw grouped bars, with their values written on them.

    Args:
        path: The file to write; its ending names the form.
        rows: Values between 0 and 1 by the name of a group of bars and then by the name of a color; NaN where a value
            does not exist.
        title: The chart's title.
        axis: The label of the axis of the values.

    Raises:
        InputError: The file cannot be written.
    """
    columns = list(dict.fromkeys(name for values in rows.values() for name in values))
    lying = len(rows) > _MOST_UPRIGHT
    if lying:
        names = max(text_width(name, SMALL) for name in rows)
        size = (min(names, 4.0) + 5.0, len(rows) * (len(columns) * _LYING_BAR + 0.06) + 1.6)
    else:
        size = (max(len(rows) * max(len(columns) * _BAR + 0.3, 0.9) + 1.2, 4.5), 4.0)
    figure = Figure(figsize=size, layout="constrained")
    set_title(figure, title)
    if columns:
        _draw(figure.subplots(), rows, columns, axis, lying=lying)
        if len(columns) > 1:
            legend_below(figure, [Patch(color=_color(at), label=name) for at, name in enumerate(columns)])
    else:
        say_empty(figure, "no values")
    save_figure(figure, path, dpi=150)


def _draw(
    axes: Axes, rows: Mapping[str, Mapping[str, float]], columns: Sequence[str], axis: str, *, lying: bool
) -> None:
    width = 0.84 / len(columns)
    for number, column in enumerate(columns):
        places = [index + (number - (len(columns) - 1) / 2) * width for index in range(len(rows))]
        values = [values.get(column, math.nan) for values in rows.values()]
        heights = [0.0 if math.isnan(value) else value for value in values]
        bars = (axes.barh if lying else axes.bar)(places, heights, width * 0.94, color=_color(number))
        labels = ["n/a" if math.isnan(value) else f"{value:.2f}" for value in values]
        axes.bar_label(bars, labels, fontsize=SMALL - 0.5, padding=2)
    if lying:
        axes.set_yticks(range(len(rows)), [wrapped(name, 4.0, SMALL, lines=1) for name in rows])
        axes.set(xlim=(0, 1.08), xlabel=axis, ylim=(len(rows) - 0.4, -0.6))
        axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    else:
        each = max(len(columns) * _BAR + 0.3, 0.9) - 0.1
        axes.set_xticks(range(len(rows)), [wrapped(name, each, SMALL) for name in rows])
        axes.set(ylim=(0, 1.08), ylabel=axis, xlim=(-0.6, len(rows) - 0.4))
        axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.grid(axis="x" if lying else "y")


def _color(number: int) -> str:
    return CYCLE[number] if number < len(CYCLE) else GRAY
