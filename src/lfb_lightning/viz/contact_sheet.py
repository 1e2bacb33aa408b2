"""A sheet of keyframes with their annotated and proposed boxes, on which a wrong offset or scale is easily seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float64, UInt8
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lfb_lightning.viz.saving import save_figure

_ANNOTATED, _PROPOSED = "#2ca02c", "#ff7f0e"


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture of the sheet.

    Args:
        caption: The text above the frame.
        frame: The keyframe, RGB.
        annotated: Annotated boxes, corners as fractions of the picture, `[P, 4]`.
        proposed: Proposed boxes in the same form, `[Q, 4]`.
    """

    caption: str
    frame: UInt8[np.ndarray, "H W 3"]
    annotated: Float64[np.ndarray, "P 4"]
    proposed: Float64[np.ndarray, "Q 4"]


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
    figure = Figure(figsize=(3.6 * columns, 2.9 * rows + 0.6), layout="constrained")
    axes = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).reshape(-1)
    figure.suptitle(f"{title}   (green: annotated, orange: proposals)", fontsize=11)
    for axis in axes:
        axis.set_axis_off()
    for axis, tile in zip(axes, tiles, strict=False):
        height, width = tile.frame.shape[:2]
        axis.imshow(tile.frame)
        axis.set_title(tile.caption, fontsize=8)
        for boxes, color, style in ((tile.annotated, _ANNOTATED, "-"), (tile.proposed, _PROPOSED, "--")):
            for x1, y1, x2, y2 in boxes.tolist():
                corner, size = (x1 * width, y1 * height), ((x2 - x1) * width, (y2 - y1) * height)
                axis.add_patch(Rectangle(corner, *size, fill=False, edgecolor=color, linestyle=style, linewidth=1.6))
    save_figure(figure, path, dpi=110)
