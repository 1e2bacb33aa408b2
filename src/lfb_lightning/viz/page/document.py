"""Writing an HTML document that holds its data, styles and script, and may load nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from lfb_lightning.files.durable import write_durably


def write_document(
    path: Path,
    *,
    title: str,
    template: str,
    styles: Sequence[str],
    scripts: Sequence[str],
    data: str,
    media: str = "",
) -> None:
    """Write a document as one HTML file that needs no server and no network.

    Args:
        path: The file to write; its folder must exist.
        title: The title of the browser's window.
        template: HTML with the places `@policy@`, `@title@`, `@style@`, `@data@` and `@script@`.
        styles: CSS, in the order in which it applies.
        scripts: JavaScript, in order; it shares one scope.
        data: The text of `embedded_json`.
        media: Where video may come from, in the form of a content security policy; empty: from nowhere.

    Raises:
        InputError: The file cannot be written.
    """
    style = "".join(styles)
    script = '(() => {\n"use strict";\n' + "\n".join(scripts) + "})();\n"
    parts = {
        "policy": _policy(style, script, media),
        "title": html.escape(title),
        "style": style,
        "data": data,
        "script": script,
    }
    # In one pass, so that nothing in a title or a name is taken for a place to fill.
    text = re.sub(r"@(policy|title|style|data|script)@", lambda match: parts[match[1]], template)
    write_durably(path, text.encode("utf-8", "replace"))


def shared_part(name: str) -> str:
    """Read `look.css` or `elements.js`, which all documents have."""
    return template_part("lfb_lightning.viz.page", "shared", name)


def template_part(package: str, folder: str, name: str) -> str:
    """Read a file that lies in a folder of a package."""
    return resources.files(package).joinpath(folder).joinpath(name).read_text("utf-8")


def embedded_json(content: Any) -> str:
    """Return content as JSON that can stand inside a script element; raises ValueError for NaN and infinity."""
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))  # all ASCII: any script, even broken names
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _policy(style: str, script: str, media: str) -> str:
    """Allow this script and this style only, pictures inside the document, and video from `media`."""
    style_hash, script_hash = (
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)
    )
    return (
        f"default-src 'none'; script-src 'sha256-{script_hash}'; style-src 'sha256-{style_hash}'; img-src data:; "
        f"{media and f'media-src {media}; '}base-uri 'none'; form-action 'none'"
    )
