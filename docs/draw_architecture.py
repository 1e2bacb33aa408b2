"""Draws docs/architecture.svg: the pipeline, the floors and the seams. Usage: python docs/draw_architecture.py [OUT]."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

INK, QUIET, PAPER, LINE = "#1f2933", "#64748b", "#ffffff", "#cbd5e1"
SHORT, LONG, SEAM = "#2563eb", "#0d9488", "#f59e0b"  # short-term path, long-term path, what a user may replace
FLOORS = [
    ("6", "commands", [("cli/", "the only floor that imports Hydra", 5.0)]),
    (
        "5",
        "at work",
        [
            ("live/", "a camera's actions", 3.4),
            ("clusters/", "many machines, by Ray", 3.4),
            ("doctor/", "the machine's state", 3.4),
        ],
    ),
    (
        "4",
        "running",
        [
            ("lightning/", "modules, data modules, callbacks", 4.4),
            ("prediction/", "one's own video", 3.2),
            ("reporting/", "runs as a page", 3.2),
        ],
    ),
    (
        "3",
        "data and pictures",
        [
            ("datasets/", "the paper's three, your own", 3.1),
            ("mini_charades/  mini_epic/", "generated data", 3.6),
            ("viz/", "charts, the page", 2.1),
            ("exporting/", "safetensors, ONNX", 2.6),
        ],
    ),
    (
        "2",
        "reading and scoring",
        [
            ("clips/", "sampling, transforms", 2.5),
            ("persons/", "detectors, tracks", 3.3),
            ("metrics/", "evaluators", 2.6),
            ("mini_ava/", "generated data", 2.1),
            ("converters/", "CVAT, COCO, VIA", 2.3),
        ],
    ),
    (
        "1",
        "building blocks",
        [
            ("video/", "frames by time", 2.4),
            ("ava/  charades/  epic/", "file formats", 3.7),
            ("bank/", "rows, windows", 2.4),
            ("models/", "backbones, FBOs, detector", 4.1),
        ],
    ),
    (
        "0",
        "ground",
        [
            ("files/", "durable writing, safe reading", 3.5),
            (
                "structures  bank_window  movable  boxes  errors  clock  collector  ranges  processes",
                "the nouns that all floors share",
                6.9,
            ),
        ],
    ),
]
SEAMS = {
    "models/": ["Backbone", "FBO"],
    "datasets/": ["ActionDataset"],
    "metrics/": ["Evaluator"],
    "persons/": ["PersonSource"],
}


def box(axes: Axes, x: float, y: float, width: float, text: str, note: str = "", color: str = QUIET) -> None:
    """Draw one step of the pipeline: a rounded box centered on (x, y) with a title and a smaller note below it."""
    height = 0.86
    shape = FancyBboxPatch(
        (x - width / 2, y - height / 2),
        width,
        height,
        boxstyle="round,pad=0,rounding_size=0.14",
        fc=PAPER,
        ec=color,
        lw=1.6,
    )
    axes.add_patch(shape)
    axes.text(x, y + (0.11 if note else 0), text, ha="center", va="center", fontsize=10.5, color=INK, weight="bold")
    if note:
        axes.text(x, y - 0.2, note, ha="center", va="center", fontsize=8, color=QUIET)


def seam(axes: Axes, x: float, y: float, name: str, width: float) -> None:
    """Draw the badge of a seam, centered on (x, y)."""
    shape = FancyBboxPatch(
        (x - width / 2, y - 0.14), width, 0.28, boxstyle="round,pad=0,rounding_size=0.13", fc=SEAM, ec="none", zorder=4
    )
    axes.add_patch(shape)
    axes.text(x, y - 0.01, name, ha="center", va="center", fontsize=8, color="white", weight="bold", zorder=5)


def arrow(axes: Axes, points: list[tuple[float, float]], color: str = QUIET) -> None:
    """Draw a line through the points that ends in an arrow."""
    for begin, end in pairwise(points[:-1]):
        axes.plot(*zip(begin, end, strict=True), color=color, lw=1.6, solid_capstyle="round")
    style = {"arrowstyle": "-|>,head_width=0.22,head_length=0.4", "color": color, "lw": 1.6, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", points[-1], points[-2], arrowprops=style)


def draw_pipeline(axes: Axes) -> None:
    """Draw how video becomes a bank (upper row), and how clip and bank become scores (lower rows)."""
    axes.text(0.3, 13.55, "The pipeline", fontsize=15, weight="bold", color=INK)
    axes.text(0.3, 12.98, "lfb-extract, once per video", fontsize=9.5, color=LONG, weight="bold")
    for x, width, text, note in (
        (1.5, 2.2, "Video", "every keyframe"),
        (4.6, 2.3, "Clip reader", "frames by time"),
        (7.7, 2.3, "Backbone", "one clip each"),
        (10.8, 2.3, "Region features", "RoIAlign, pooled"),
    ):
        box(axes, x, 12.2, width, text, note, LONG)
    for begin, end in ((2.6, 3.45), (5.75, 6.55), (8.85, 9.65), (11.95, 12.75)):
        arrow(axes, [(begin, 12.2), (end, 12.2)], LONG)
    bank = FancyBboxPatch((12.75, 11.6), 2.9, 1.2, boxstyle="round,pad=0,rounding_size=0.2", fc=LONG, ec="none")
    axes.add_patch(bank)
    axes.text(14.2, 12.36, "Feature bank", ha="center", va="center", fontsize=12, color="white", weight="bold")
    axes.text(14.2, 12.0, "one file per video", ha="center", va="center", fontsize=8.5, color="white")
    axes.plot([0.3, 15.65], [11.2, 11.2], color=LINE, lw=1, ls=(0, (4, 4)), zorder=0)
    axes.text(0.3, 10.8, "lfb-train and lfb-test, once per keyframe", fontsize=9.5, color=SHORT, weight="bold")
    arrow(axes, [(14.2, 11.6), (14.2, 10.43)], LONG)
    box(axes, 14.2, 10.0, 2.4, "Window", "minutes of the bank", LONG)
    box(axes, 10.8, 10.0, 2.3, "FBO", "reads the window", LONG)
    arrow(axes, [(13.0, 10.0), (11.95, 10.0)], LONG)
    for x, width, text, note in (
        (1.5, 2.2, "Clip", "two seconds"),
        (4.6, 2.3, "Backbone", "trained"),
        (7.7, 2.3, "Region features", "short-term"),
        (10.8, 2.3, "Classifier", "both, side by side"),
        (14.2, 2.4, "Scores", "per person and action"),
    ):
        box(axes, x, 8.4, width, text, note, SHORT)
    for begin, end in ((2.6, 3.45), (5.75, 6.55), (8.85, 9.65), (11.95, 13.0)):
        arrow(axes, [(begin, 8.4), (end, 8.4)], SHORT)
    arrow(axes, [(7.7, 8.83), (7.7, 10.0), (9.65, 10.0)], SHORT)
    arrow(axes, [(10.8, 9.57), (10.8, 8.83)], LONG)
    axes.text(10.93, 9.2, "long-term", fontsize=8, color=LONG, va="center")
    for x, y, name, width in (
        (7.7, 12.68, "Backbone", 1.0),
        (4.6, 8.88, "Backbone", 1.0),
        (10.8, 10.48, "FBO", 0.6),
        (1.5, 12.68, "ActionDataset", 1.3),
        (1.5, 8.88, "ActionDataset", 1.3),
        (14.2, 7.9, "Evaluator", 1.0),
    ):
        seam(axes, x, y, name, width)


def draw_floors(axes: Axes) -> None:
    """Draw the folders of the package as floors: a file imports lower floors or its own folder."""
    axes.text(0.3, 7.05, "The floors of src/lfb_lightning", fontsize=15, weight="bold", color=INK)
    axes.text(15.65, 7.08, "a file imports lower floors, or its own folder", fontsize=9.5, color=QUIET, ha="right")
    for row, (number, title, rooms) in enumerate(FLOORS):
        y = 5.9 - row * 1.02
        axes.add_patch(
            FancyBboxPatch((0.3, y), 15.35, 0.84, boxstyle="round,pad=0,rounding_size=0.1", fc="#f1f5f9", ec="none")
        )
        axes.text(0.62, y + 0.42, number, fontsize=16, weight="bold", color=QUIET, va="center", ha="center")
        axes.text(0.95, y + 0.42, title, fontsize=9, color=QUIET, va="center")
        x = 2.75
        share = 12.85 / sum(width for *_, width in rooms)  # the rooms fill their floor
        for name, note, parts in rooms:
            width = parts * share
            axes.add_patch(
                FancyBboxPatch(
                    (x, y + 0.1), width - 0.18, 0.64, boxstyle="round,pad=0,rounding_size=0.1", fc=PAPER, ec=LINE
                )
            )
            axes.text(x + 0.14, y + 0.54, name, fontsize=9.5, weight="bold", color=INK, va="center")
            axes.text(x + 0.14, y + 0.27, note, fontsize=8, color=QUIET, va="center")
            right = x + width - 0.3
            for label in reversed(SEAMS.get(name, [])):
                size = 0.27 + 0.088 * len(label)
                seam(axes, right - size / 2, y + 0.54, label, size)
                right -= size + 0.08
            x += width
    seam(axes, 0.82, -0.64, "Seam", 0.66)
    axes.text(
        1.3,
        -0.64,
        "a protocol that your own class can fulfill, without a change in this package",
        fontsize=9,
        color=QUIET,
        va="center",
    )


def main(path: Path) -> None:
    """Write the picture, in the form that the file's ending names."""
    mpl.rcParams.update({"font.family": "DejaVu Sans", "svg.hashsalt": "lfb"})
    figure = Figure(figsize=(12.8, 12.0))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 16), ylim=(-1, 14))
    axes.set_axis_off()
    draw_pipeline(axes)
    draw_floors(axes)
    figure.savefig(path, dpi=110, facecolor=PAPER, metadata={"Date": None} if path.suffix == ".svg" else None)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else Path(__file__).with_name("architecture.svg"))
