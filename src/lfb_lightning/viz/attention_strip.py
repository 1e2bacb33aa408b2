"""A picture of why: a person in a key frame, what a minute of memory looked at, and the answer without and with it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from lfb_lightning.viz.saving import save_figure
from lfb_lightning.viz.style import (
    BLUE,
    GRAY,
    LINE,
    SKY,
    SMALL,
    TEXT,
    TITLE,
    VERMILION,
    Page,
    styled,
    text_width,
    wrapped,
)

Scores = Sequence[tuple[str, float]]
_WIDTH, _MARGIN, _FRAME = 12.0, 0.3, (5.6, 3.3)  # inches: of the picture, around it, of the key frame at most
_LEFT = _MARGIN + 0.5  # where time begins, right of the numbers of its axis
_INNER = _WIDTH - _MARGIN - _LEFT
_THUMBNAILS = 16  # side by side at most: one for each of 16 seconds
_ACTIONS = 6  # in a list at most
_FILLED = 0.94  # of a thumbnail's cell
_BARS = 1.0  # inches, the height of the attention's bars


@styled
def draw_attention_strip(
    path: str | Path,
    *,
    frame: UInt8[np.ndarray, "H W 3"],
    box: tuple[float, float, float, float],
    second: float | int,
    thumbnails: Sequence[UInt8[np.ndarray, "h w 3"]],
    thumbnail_seconds: Sequence[float | int],
    attention: tuple[Float[np.ndarray, " T"], Float[np.ndarray, " T"]],
    empty: float | int,
    without: Scores,
    with_memory: Scores,
    title: str = "",
) -> None:
    """Draw a key frame and the scores of one person in it, and below them the window's seconds with the attention to each.

    Of more than sixteen thumbnails, each sixteenth of the window shows the one with the most attention.

    Args:
        path: The file to write; its ending names the form.
        frame: The key frame, RGB.
        box: The person in it: corners `x1, y1, x2, y2` as fractions of the picture.
        second: The key frame's second.
        thumbnails: Frames of the window, RGB, of one size.
        thumbnail_seconds: The second of each, ascending.
        attention: Seconds of the window, ascending, and the attention's weight in each, between 0 and 1.
        empty: The weight of the empty slots together.
        without: Actions and their scores, between 0 and 1, without the bank.
        with_memory: The same with it.
        title: The picture's title.

    Raises:
        InputError: The file cannot be written.
    """
    seconds, weights = np.asarray(attention[0], dtype=float) - second, 100 * np.asarray(attention[1], dtype=float)
    times = np.asarray(thumbnail_seconds, dtype=float) - second
    around = np.concatenate([[0.0], seconds, times])
    span = (float(around.min()) - 0.5, float(around.max()) + 0.5)
    picked = _picked(times, seconds, weights, span)
    scale = min(_FRAME[0] / frame.shape[1], _FRAME[1] / frame.shape[0])
    shown = (frame.shape[1] * scale, frame.shape[0] * scale)
    top = _MARGIN + ((wrapped(title, _INNER, TITLE).count("\n") + 1) * TITLE * LINE / 72 + 0.1 if title else 0.0)
    below = top + max(shown[1], 2.4) + 0.6
    cell = _INNER / _cells(len(times))
    strip = cell * _FILLED * max([part.shape[0] / part.shape[1] for part in thumbnails], default=0.3)
    page = Page(_WIDTH, below + strip + 0.35 + _BARS + 0.5 + _MARGIN)
    page.write(_MARGIN, _MARGIN, wrapped(title, _INNER, TITLE), fontsize=TITLE)
    _draw_frame(page.axes(_MARGIN, top, *shown), frame, box)
    _draw_scores(page, _MARGIN + shown[0] + 0.4, top, without, with_memory)
    page.write(_LEFT, below - 0.27, _words(seconds, empty), weight="bold")
    _draw_thumbnails(page.axes(_LEFT, below, _INNER, strip), thumbnails, times, picked, span)
    looked = {int(np.abs(seconds - times[at]).argmin()) for at, _ in picked} if len(seconds) else set()
    axes = page.axes(_LEFT, below + strip + 0.35, _INNER, _BARS)
    axes.bar(seconds, weights, width=0.86, color=[BLUE if at in looked else SKY for at in range(len(seconds))])
    axes.axvline(0, color=VERMILION, linestyle="--", linewidth=1.2)
    axes.set(
        xlim=span, ylim=(0, 1.1 * max([*weights, 1.0])), xlabel="seconds from the key frame", ylabel="attention, %"
    )
    axes.locator_params(axis="y", nbins=4)
    axes.grid(axis="y")
    save_figure(page.figure, path, dpi=130)


def _words(seconds: Float[np.ndarray, " T"], empty: float | int) -> str:
    if len(seconds) == 0:
        return "No memory: the window is empty"
    apart = f", and {empty:.0%} to empty slots" if empty > 0 else ""
    return f"What it attended to: weight of each second of the window{apart} (dark: the seconds shown)"


def _cells(thumbnails: int) -> int:
    return min(max(thumbnails, 8), _THUMBNAILS)  # a few are no larger than eight would be


def _picked(
    times: Float[np.ndarray, " N"],
    seconds: Float[np.ndarray, " T"],
    weights: Float[np.ndarray, " T"],
    span: tuple[float, float],
) -> list[tuple[int, float]]:
    """Of each cell of time, pick the thumbnail with the most attention: its number, and the cell's center."""
    edges = np.linspace(*span, _cells(len(times)) + 1)
    seen = weights[np.abs(seconds[None, :] - times[:, None]).argmin(axis=1)] if len(seconds) else np.zeros(len(times))
    picked = []
    for low, high in pairwise(edges):
        here = np.flatnonzero((times >= low) & (times < high))
        if len(here):
            picked.append((int(here[seen[here].argmax()]), float(low + high) / 2))
    return picked


def _draw_frame(axes: Axes, frame: UInt8[np.ndarray, "H W 3"], box: tuple[float, float, float, float]) -> None:
    height, width = frame.shape[:2]
    axes.imshow(frame, aspect="auto")
    axes.set_axis_off()
    x1, y1, x2, y2 = box
    corner, size = (x1 * width, y1 * height), ((x2 - x1) * width, (y2 - y1) * height)
    for color, line in (("white", 4.0), (VERMILION, 2.2)):
        axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor=color, linewidth=line))


def _draw_thumbnails(
    axes: Axes,
    thumbnails: Sequence[UInt8[np.ndarray, "h w 3"]],
    times: Float[np.ndarray, " N"],
    picked: list[tuple[int, float]],
    span: tuple[float, float],
) -> None:
    half = _FILLED * (span[1] - span[0]) / _cells(len(times)) / 2
    for number, center in picked:
        axes.imshow(thumbnails[number], aspect="auto", extent=(center - half, center + half, 0, 1))
        words = "key frame" if times[number] == 0 else f"{times[number]:+g} s"
        axes.text(center, -0.05, words, ha="center", va="top", fontsize=SMALL)
    axes.set(xlim=span, ylim=(0, 1))
    axes.set_axis_off()


def _draw_scores(page: Page, left: float, top: float, without: Scores, with_memory: Scores) -> None:
    """Draw two lists of bars with the actions' names between the frame and them, the best with memory first."""
    before, after = dict(without), dict(with_memory)
    names = sorted({**after, **before}, key=lambda name: -max(after.get(name, 0.0), before.get(name, 0.0)))[:_ACTIONS]
    names.sort(key=lambda name: (-after.get(name, -1.0), -before.get(name, -1.0)))
    words = [wrapped(name, 1.9, TEXT, lines=2) for name in names]
    first = left + max([text_width(line, TEXT) for word in words for line in word.split("\n")], default=0.0) + 0.1
    width = (_WIDTH - _MARGIN - first - 0.35) / 2
    height = min(max(0.5 * len(names), 0.5), 2.4)
    lists = (("Without memory", before, GRAY), ("With memory", after, BLUE))
    for place, (heading, scores, color) in enumerate(lists):
        axes = page.axes(first + place * (width + 0.35), top + 0.3, width, height)
        axes.barh(range(len(names)), [scores.get(name, 0.0) for name in names], height=0.62, color=color)
        for row, name in enumerate(names):
            score = f"{scores[name]:.2f}" if name in scores else "n/a"
            axes.text(scores.get(name, 0.0) + 0.02, row, score, va="center", fontsize=SMALL)
        axes.set(xlim=(0, 1.18), ylim=(max(len(names), 1) - 0.5, -0.5), title=heading, xlabel="score")
        axes.set_xticks([0, 0.5, 1])
        axes.set_yticks(range(len(names)), words if place == 0 else [""] * len(names), fontsize=TEXT)
        axes.tick_params(axis="y", length=0)
