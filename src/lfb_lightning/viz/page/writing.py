"""Writing a page: one HTML file with its data, styles and script inside."""

from __future__ import annotations

from pathlib import Path

from lfb_lightning.viz.page.data import Page


def write_page(path: str | Path, page: Page) -> None:
    """Write a page as one HTML file that needs no server and no network.

    Args:
        path: The file to write; its folder must exist.
        page: What it shows.

    Raises:
        InputError: The file cannot be written.
    """
    raise NotImplementedError
