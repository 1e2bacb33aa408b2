"""How a drawn figure comes into its file."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import durable_file


def save_figure(figure: Figure, path: str | Path, *, dpi: int) -> None:
    """Write a figure, whole or not at all, in the form that the file's ending names; without one, as PNG.

    Raises:
        InputError: matplotlib writes no such form, or the file cannot be written.
    """
    form = Path(path).suffix.lstrip(".").lower() or "png"
    known = figure.canvas.get_supported_filetypes()
    if form not in known:
        raise InputError(f"{path}: .{form} is no form of a picture; expected one of {', '.join(sorted(known))}.")
    with durable_file(Path(path)) as file:
        figure.savefig(file, dpi=dpi, format=form)
