"""A sheet of keyframes with their annotated and proposed boxes, on which a wrong offset or scale is easily seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, UInt8
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lfb_lightning.viz.saving import save_figure
from lfb_lightning.viz.style import GREEN, ORANGE, SMALL, legend_below, say_empty, styled, wrapped
from lfb_lightning.viz.style import title as set_title

_WIDTH = 3.6  # inches, of a tile
_NARROWEST, _LINES = 0.8, 4  # of a name: inches, lines


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture of the sheet.

    Args:
        caption: The text above the frame.
        frame: The keyframe, RGB.
        annotated: Annotated boxes, corners as fractions of the picture, `[P, 4]`.
        proposed: Proposed boxes in the same form, `[Q, 4]`.
        names: What is written into each annotated box; none, or one for each.
    """

    caption: str
    frame: UInt8[np.ndarray, "H W 3"]
    annotated: Float64[np.ndarray, "P 4"]
    proposed: Float64[np.ndarray, "Q 4"]
    names: Sequence[str] = ()


@styled
def draw_contact_sheet(path: str | Path, tiles: list[Tile], *, title: str, columns: int = 4) -> None:
    """Draw frames side by side, annotated boxes in green and proposals in dashed orange.

    Args:
        path: The file to write; its ending names the form.
        tiles: The frames with their boxes.
        title: The sheet's title.
        columns: How many frames stand side by side, at most.

    Raises:
        InputError: The file cannot be written.
    """
    columns = max(1, min(columns, len(tiles)))
    rows = max(1, math.ceil(len(tiles) / columns))
    aspect = max([tile.frame.shape[0] / tile.frame.shape[1] for tile in tiles], default=0.3)
    figure = Figure(figsize=(_WIDTH * columns, (_WIDTH * aspect + 0.45) * rows + 0.9), layout="constrained")
    set_title(figure, title)
    legend_below(
        figure,
        [
            Rectangle((0, 0), 1, 1, fill=False, edgecolor=GREEN, linewidth=1.6, label="annotated"),
            Rectangle((0, 0), 1, 1, fill=False, edgecolor=ORANGE, linestyle="--", linewidth=1.6, label="proposed"),
        ],
    )
    if not tiles:
        say_empty(figure, "no key frames")
    axes = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).reshape(-1)
    for axis in axes:
        axis.set_axis_off()
    for axis, tile in zip(axes, tiles, strict=False):
        height, width = tile.frame.shape[:2]
        axis.imshow(tile.frame)
        axis.set_title(wrapped(tile.caption, _WIDTH - 0.3, SMALL), fontsize=SMALL)
        for boxes, color, style in ((tile.annotated, GREEN, "-"), (tile.proposed, ORANGE, "--")):
            for x1, y1, x2, y2 in boxes.tolist():
                corner, size = (x1 * width, y1 * height), ((x2 - x1) * width, (y2 - y1) * height)
                axis.add_patch(Rectangle(corner, *size, fill=False, edgecolor=color, linestyle=style, linewidth=1.6))
        for (x1, y1, x2, _), name in zip(tile.annotated.tolist(), tile.names, strict=False):
            text = wrapped(name, max((x2 - x1) * _WIDTH, _NARROWEST), SMALL, lines=_LINES)
            place = {"x": x1 * width, "y": y1 * height, "va": "top", "clip_on": True}
            axis.text(s=text, **place, fontsize=SMALL, color="white", bbox={"facecolor": GREEN, "lw": 0, "pad": 1.0})
    save_figure(figure, path, dpi=110)
