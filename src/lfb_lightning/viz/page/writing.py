"""Writing a page: one HTML file with its data, styles and script inside."""

from __future__ import annotations

from pathlib import Path

from lfb_lightning.viz.page.data import Page
from lfb_lightning.viz.page.document import shared_part, template_part, write_document
from lfb_lightning.viz.page.packing import pack_page

_SCRIPTS = ("data.js", "persons.js", "labels.js", "stage.js", "timeline.js", "attention.js", "details.js", "main.js")


def write_page(path: str | Path, page: Page) -> None:
    """Write a page as one HTML file that needs no server and no network.

    Args:
        path: The file to write; its folder must exist.
        page: What it shows.

    Raises:
        InputError: The file cannot be written.
        ValueError: An index of the page is outside of what it refers to, a number is not finite, or times do not ascend.
    """
    write_document(
        Path(path),
        title=page.title,
        template=_part("page.html"),
        styles=[shared_part("look.css"), _part("page.css")],
        scripts=[shared_part("elements.js"), *map(_part, _SCRIPTS)],
        data=pack_page(page),
        media="'self' file:",
    )


def _part(name: str) -> str:
    return template_part("lfb_lightning.viz.page", "template", name)
