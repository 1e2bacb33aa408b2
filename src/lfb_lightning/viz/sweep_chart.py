"""A chart of a sweep: one panel per parameter, one point per job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lfb_lightning.viz.saving import save_figure

_LOG_FROM = 30.0  # a parameter that spans more than this factor is drawn on a logarithmic axis


def sweep_chart(path: str | Path, jobs: Sequence[tuple[Mapping[str, str], float]], *, axis: str) -> None:
    """Draw the score of each job over each parameter: numbers on an axis, names side by side with their mean.

    Args:
        path: The file to write; its ending names the form.
        jobs: The parameters of each job, by name and as text, and its score.
        axis: The label of the vertical axis.

    Raises:
        InputError: The file cannot be written.
    """
    names = list(jobs[0][0]) or ["job"]
    figure = Figure(figsize=(3.6 * len(names) + 0.8, 3.8), layout="constrained")
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False)[0]
    scores = np.array([score for _, score in jobs])
    for name, panel in zip(names, panels, strict=True):
        values = [parameters.get(name, "") for parameters, _ in jobs]
        numbers = _numbers(values)
        if numbers is not None:
            _draw_numbers(panel, numbers, scores)
        else:
            _draw_names(panel, values, scores)
        panel.set_xlabel(name)
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel(axis)
    save_figure(figure, path, dpi=150)


def _numbers(values: Sequence[str]) -> np.ndarray | None:
    try:
        return np.array([float(value) for value in values])
    except ValueError:
        return None


def _draw_numbers(panel: Axes, numbers: np.ndarray, scores: np.ndarray) -> None:
    panel.scatter(numbers, scores, s=28, zorder=3)
    if numbers.min() > 0 and numbers.max() / numbers.min() > _LOG_FROM:
        panel.set_xscale("log")


def _draw_names(panel: Axes, values: Sequence[str], scores: np.ndarray) -> None:
    places = {value: place for place, value in enumerate(dict.fromkeys(values))}
    at = np.array([places[value] for value in values])
    for place in places.values():
        mean = scores[at == place].mean()
        panel.bar(place, mean, width=0.6, color="C0", alpha=0.3)
        panel.annotate(f"{mean:.3f}", (place, mean), ha="center", va="bottom", fontsize=8)
    panel.scatter(at, scores, s=28, zorder=3)
    panel.set_xticks(list(places.values()), list(places))
    low, high = scores.min(), scores.max()
    panel.set_ylim(max(0.0, low - 0.25 * (high - low) - 0.02), high + 0.15 * (high - low) + 0.02)
