"""The one style of all pictures: fonts, sizes and colors, and text that is measured before it is placed.

The colors are those of Okabe and Ito, which people with any color vision can tell apart.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.textpath import TextToPath

BLACK, GRAY = "#000000", "#6b6b6b"
ORANGE, SKY, GREEN, YELLOW = "#e69f00", "#56b4e9", "#009e73", "#f0e442"
BLUE, VERMILION, PURPLE = "#0072b2", "#d55e00", "#cc79a7"
CYCLE = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION, YELLOW)
TITLE, TEXT, SMALL = 11.0, 8.5, 7.5  # points
LINE = 1.35  # from one line of text to the next, in its size

_MEASURE = TextToPath()
_STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],  # comes with matplotlib: the same picture everywhere
    "font.size": TEXT,
    "axes.titlesize": TEXT + 0.5,
    "axes.labelsize": TEXT,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "figure.titlesize": TITLE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "text.parse_math": False,  # a file's name may have a dollar sign
}
styled = rc_context(_STYLE)  # a decorator: what the function draws is drawn in this style


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Measure a line of text in inches.

    Args:
        text: The line.
        size: Its size in points.
        bold: Whether it is bold.
    """
    font = FontProperties(family="DejaVu Sans", size=size, weight="bold" if bold else "normal")
    return float(_MEASURE.get_text_width_height_descent(text, font, ismath=False)[0]) / 72


def wrapped(text: str, inches: float, size: float, *, lines: int = 3) -> str:
    """Break a text into lines that fit a width; what is more than so many lines ends with an ellipsis.

    Args:
        text: The text; words that are too long are broken.
        inches: The width.
        size: The text's size in points.
        lines: The most lines.
    """
    characters = max(int(inches / text_width("n", size)), 4)
    while True:
        parts = textwrap.wrap(text, characters, max_lines=lines, placeholder=" …") or [""]
        if characters <= 4 or all(text_width(part, size) <= inches for part in parts):
            return "\n".join(parts)
        characters -= 1


def title(figure: Figure, text: str) -> None:
    """Give a figure a title that fits its width."""
    figure.suptitle(wrapped(text, figure.get_figwidth() - 0.4, TITLE, lines=8))


def legend_below(figure: Figure, handles: Sequence[Patch | Line2D]) -> None:
    """Put a legend below all axes of a figure with constrained layout, in as many columns as fit."""
    widest = max(text_width(str(handle.get_label()), SMALL) for handle in handles) + 0.6
    columns = max(1, min(len(handles), int((figure.get_figwidth() - 0.3) / widest)))
    figure.legend(handles=list(handles), loc="outside lower center", ncols=columns, frameon=False)


def say_empty(figure: Figure, text: str) -> None:
    """Say in the middle of a figure why it shows nothing."""
    figure.text(0.5, 0.45, wrapped(text, figure.get_figwidth() - 0.4, TEXT), ha="center", va="center", color=GRAY)


class Page:
    """A figure on which things are placed in inches from its left and its top."""

    def __init__(self, width: float, height: float) -> None:
        self.figure = Figure(figsize=(width, height))
        self.width, self.height = width, height

    def write(self, x: float, y: float, text: str, **options: Any) -> None:
        """Write a text whose top left corner is at (x, y)."""
        self.figure.text(x / self.width, 1 - y / self.height, text, va="top", **options)

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        """Add axes whose top left corner is at (x, y)."""
        box = (x / self.width, 1 - (y + height) / self.height, width / self.width, height / self.height)
        return self.figure.add_axes(box)
