"""A picture of a bank: how many features a second has, and which seconds of each video have any."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from lfb_lightning.bank.summary import BankSummary
from lfb_lightning.viz.saving import save_figure

_MOST_LABELS = 40


def draw_bank_report(path: str | Path, summary: BankSummary, *, title: str) -> None:
    """Draw a histogram of features per second beside one strip per video that is dark where the video has features.

    Args:
        path: The file to write; its ending names the form.
        summary: What the bank holds.
        title: The figure's title.

    Raises:
        InputError: The file cannot be written.
    """
    figure = Figure(figsize=(12, min(3 + 0.16 * summary.videos, 20)), layout="constrained")
    counts, strips = figure.subplots(1, 2, width_ratios=(1, 2.2))
    counts.bar(list(summary.persons_per_second), list(summary.persons_per_second.values()), color="tab:blue")
    counts.set(xlabel="features in a second", ylabel="seconds", title=f"{summary.mean_persons:.2f} per second")
    counts.xaxis.get_major_locator().set_params(integer=True)
    counts.spines[["top", "right"]].set_visible(False)
    names = list(summary.coverage)
    if names:
        first = min(entry.first for entry in summary.coverage.values())
        last = max(entry.last for entry in summary.coverage.values())
        filled = np.zeros((len(names), last - first + 1))
        for row, entry in enumerate(summary.coverage.values()):
            filled[row, np.array(entry.seconds) - first] = 1
        strips.imshow(
            filled,
            aspect="auto",
            cmap="Blues",
            vmin=0,
            vmax=1.3,
            interpolation="nearest",
            extent=(first - 0.5, last + 0.5, len(names) - 0.5, -0.5),
        )
        shown = range(0, len(names), -(-len(names) // _MOST_LABELS))
        strips.set_yticks(list(shown), [names[index] for index in shown], fontsize=7)
    share = np.mean([entry.share for entry in summary.coverage.values()]) if names else 0.0
    strips.set(xlabel="second", title=f"seconds with features: {share:.1%} of those between a video's first and last")
    figure.suptitle(title)
    save_figure(figure, path, dpi=120)
