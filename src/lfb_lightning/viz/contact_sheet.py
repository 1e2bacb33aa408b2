"""Keyframes side by side with their annotated and proposed boxes: a wrong offset or scale is seen at a glance."""

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
    """A frame, its caption, and normalised xyxy boxes."""

    caption: str
    frame: UInt8[np.ndarray, "H W 3"]
    annotated: Float64[np.ndarray, "P 4"]
    proposed: Float64[np.ndarray, "Q 4"]


def draw_contact_sheet(path: str | Path, tiles: list[Tile], *, title: str, columns: int = 4) -> None:
    """Write a PNG: annotated boxes green, proposals orange and dashed."""
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
        for boxes, colour, style in ((tile.annotated, _ANNOTATED, "-"), (tile.proposed, _PROPOSED, "--")):
            for x1, y1, x2, y2 in boxes.tolist():
                corner, size = (x1 * width, y1 * height), ((x2 - x1) * width, (y2 - y1) * height)
                axis.add_patch(Rectangle(corner, *size, fill=False, edgecolor=colour, linestyle=style, linewidth=1.6))
    save_figure(figure, path, dpi=110)
