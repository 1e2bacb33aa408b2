"""Writing figures to files."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import durable_file


def save_figure(figure: Figure, path: str | Path, *, dpi: int) -> None:
    """Write a figure durably, in the form that the file's ending names; without an ending, as PNG.

    Args:
        figure: The figure to write.
        path: The file to write.
        dpi: Dots per inch, for forms made of pixels.

    Raises:
        InputError: The ending names a form that matplotlib does not write, or the file cannot be written.
    """
    form = Path(path).suffix.lstrip(".").lower() or "png"
    known = figure.canvas.get_supported_filetypes()
    if form not in known:
        raise InputError(f"{path}: .{form} is no form of a picture; expected one of {', '.join(sorted(known))}.")
    with durable_file(Path(path)) as file:
        figure.savefig(file, dpi=dpi, format=form)
