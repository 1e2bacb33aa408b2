"""A chart of a sweep: one panel per parameter, one point per job."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from lfb_lightning.viz.saving import save_figure
from lfb_lightning.viz.style import BLACK, BLUE, SKY, SMALL, legend_below, say_empty, styled, wrapped

_LOG_FROM = 30.0  # a parameter that spans more than this factor is drawn on a logarithmic axis
_NAME = 0.95  # inches, of a name on an axis


@styled
def sweep_chart(path: str | Path, jobs: Sequence[tuple[Mapping[str, str], float]], *, axis: str) -> None:
    """Draw the score of each job over each parameter: numbers on an axis, names side by side with their mean.

    The axis of the scores begins at 0, so that a small difference looks small; the means are written in digits, with the
    lowest and the highest score where there are several.

    Args:
        path: The file to write; its ending names the form.
        jobs: The parameters of each job, by name and as text, and its score; a score that is not finite is left out.
        axis: The label of the vertical axis.

    Raises:
        InputError: The file cannot be written.
    """
    jobs = [(parameters, score) for parameters, score in jobs if math.isfinite(score)]
    names = list(jobs[0][0]) or ["job"] if jobs else ["job"]
    columns = [[parameters.get(name, "") for parameters, _ in jobs] for name in names]
    numbers = [_numbers(values) for values in columns]
    widths = [
        2.8 if number is not None else max(_NAME * len(set(values)), 1.6)
        for number, values in zip(numbers, columns, strict=True)
    ]
    figure = Figure(figsize=(max(sum(widths) + 0.4 * len(names) + 0.7, 3.6), 4.2), layout="constrained")
    if jobs:
        scores = np.array([score for _, score in jobs])
        panels = figure.subplots(1, len(names), sharey=True, squeeze=False, width_ratios=widths)[0]
        for panel, name, values, number, width in zip(panels, names, columns, numbers, widths, strict=True):
            if number is None:
                _draw_names(panel, values, scores)
            else:
                _draw_numbers(panel, number, scores)
            panel.set_xlabel(wrapped(name, width, SMALL + 1))
            panel.grid(axis="y")
        panels[0].set_ylim(min(0.0, 1.15 * scores.min()), max(1.22 * scores.max(), 0.05))
        panels[0].set_ylabel(axis)
        point = Line2D([], [], color=BLUE, marker="o", markersize=5, linestyle="none", label="one job")
        legend_below(figure, [point, Line2D([], [], color=SKY, linewidth=5, alpha=0.6, label="mean of the jobs")])
    else:
        say_empty(figure, "no job has a score")
    save_figure(figure, path, dpi=150)


def _numbers(values: Sequence[str]) -> np.ndarray | None:
    try:
        numbers = np.array([float(value) for value in values])
    except ValueError:
        return None
    return numbers if np.isfinite(numbers).all() else None


def _draw_numbers(panel: Axes, numbers: np.ndarray, scores: np.ndarray) -> None:
    places = np.unique(numbers)
    panel.plot(places, [scores[numbers == place].mean() for place in places], color=SKY, linewidth=1.2, zorder=2)
    panel.scatter(numbers, scores, s=24, color=BLUE, zorder=3)
    if numbers.min() > 0 and numbers.max() / numbers.min() > _LOG_FROM:
        panel.set_xscale("log")
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        panel.xaxis.set_minor_formatter(NullFormatter())
    else:
        panel.locator_params(axis="x", nbins=5)


def _draw_names(panel: Axes, values: Sequence[str], scores: np.ndarray) -> None:
    names = list(dict.fromkeys(values))
    at = np.array([names.index(value) for value in values])
    for place in range(len(names)):
        here = scores[at == place]
        mean, high = here.mean(), max(here.max(), 0.0)
        panel.bar(place, mean, width=0.6, color=SKY, alpha=0.45)
        spread = f"\n{here.min():.3f} .. {here.max():.3f}" if len(here) > 1 else ""
        panel.annotate(
            f"{mean:.3f}{spread}",
            (place, high),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
            va="bottom",
            fontsize=SMALL,
            color=BLACK,
        )
    panel.scatter(at, scores, s=24, color=BLUE, zorder=3)
    panel.set_xticks(range(len(names)), [wrapped(name, _NAME - 0.08, SMALL, lines=4) for name in names])
    panel.set_xlim(-0.6, len(names) - 0.4)
