"""Writing a page: one HTML file with its data, styles and script inside."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from importlib import resources
from pathlib import Path

from lfb_lightning.files.durable import write_durably
from lfb_lightning.viz.page.data import Page
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
    style = _part("page.css")
    script = '(() => {\n"use strict";\n' + "\n".join(map(_part, _SCRIPTS)) + "})();\n"
    parts = {
        "policy": _policy(style, script),
        "title": html.escape(page.title),
        "style": style,
        "data": pack_page(page),
        "script": script,
    }
    # In one pass, so that nothing in a title or a name is taken for a place to fill.
    content = re.sub(r"@(policy|title|style|data|script)@", lambda match: parts[match[1]], _part("page.html"))
    write_durably(Path(path), content.encode("utf-8", "replace"))


def _policy(style: str, script: str) -> str:
    """Allow this script and this style only, pictures inside the page, and a video beside it."""
    style_hash, script_hash = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)
    )
    return (
        f"default-src 'none'; script-src 'sha256-{script_hash}'; style-src 'sha256-{style_hash}'; img-src data:; "
        "media-src 'self' file:; base-uri 'none'; form-action 'none'"
    )


def _part(name: str) -> str:
    return resources.files("lfb_lightning.viz.page").joinpath("template").joinpath(name).read_text("utf-8")
