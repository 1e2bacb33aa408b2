"""A picture of a bank: how many features a second has, and which seconds of each video have any."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from lfb_lightning.bank.summary import BankSummary
from lfb_lightning.viz.saving import save_figure
from lfb_lightning.viz.style import BLUE, SMALL, styled, wrapped
from lfb_lightning.viz.style import title as set_title

_MOST_LABELS = 40


@styled
def draw_bank_report(path: str | Path, summary: BankSummary, *, title: str) -> None:
    """Draw a histogram of features per second beside one strip per video that is dark where the video has features.

    Args:
        path: The file to write; its ending names the form.
        summary: What the bank holds.
        title: The figure's title.

    Raises:
        InputError: The file cannot be written.
    """
    figure = Figure(figsize=(12, min(3.4 + 0.16 * summary.videos, 12)), layout="constrained")
    set_title(figure, title)
    counts, strips = figure.subplots(1, 2, width_ratios=(1, 2.2))
    counts.bar(list(summary.persons_per_second), list(summary.persons_per_second.values()), color=BLUE)
    counts.set(xlabel="features in a second", ylabel="seconds", title=f"{summary.mean_persons:.2f} features per second")
    counts.xaxis.get_major_locator().set_params(integer=True)
    _draw_strips(strips, summary)
    save_figure(figure, path, dpi=120)


def _draw_strips(strips: Axes, summary: BankSummary) -> None:
    entries = list(summary.coverage.values())
    share = np.mean([entry.share for entry in entries]) if entries else 0.0
    strips.set(
        xlabel="second of the video",
        title=f"Seconds with features (dark): {share:.1%} of those between a video's first and last",
    )
    if not entries:
        strips.set(xticks=[], yticks=[])
        return
    first, last = min(entry.first for entry in entries), max(entry.last for entry in entries)
    filled = np.zeros((len(entries), last - first + 1))
    for row, entry in enumerate(entries):
        filled[row, np.array(entry.seconds) - first] = 1
    extent = (first - 0.5, last + 0.5, len(entries) - 0.5, -0.5)
    colors = ListedColormap(["#eeeeee", BLUE])
    strips.imshow(filled, aspect="auto", cmap=colors, vmin=0, vmax=1, interpolation="nearest", extent=extent)
    for row in range(1, len(entries)) if len(entries) <= _MOST_LABELS else ():
        strips.axhline(row - 0.5, color="white", linewidth=1.5)
    names = list(summary.coverage)
    shown = range(0, len(names), -(-len(names) // _MOST_LABELS))
    strips.set_yticks(list(shown), [wrapped(names[row], 2.2, SMALL, lines=1) for row in shown])
    strips.spines[:].set_visible(False)
