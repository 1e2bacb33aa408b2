"""Text of a run in a card: names and paths are data, and must not become Markdown, HTML, a link or a place on a machine."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from lfb_lightning.errors import one_line

_LONGEST = 200
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#+!|~&$@:\"^]|(?<=www)\.)", re.IGNORECASE)

_HUB = re.compile(r"hf:[A-Za-z0-9][\w.-]*/[A-Za-z0-9]", re.ASCII)


def escaped(value: object, longest: int = _LONGEST) -> str:
    """Make a text that Markdown shows as it is: one line, no markup, no HTML, no automatic link."""
    return _MARKUP.sub(r"\\\1", _short(value, longest))


def code(value: object) -> str:
    """Make a text that Markdown shows as code, also within a table."""
    return f"`{_short(value, _LONGEST).replace('`', chr(39)).replace('|', '¦') or ' '}`"


def file_name(value: object) -> str:
    """Give the last part of a path of any system: where a file lay is nobody's business, and may hold a name.

    A name of the Hugging Face Hub (`hf:organization/name`) is no place of a machine and stays whole.
    """
    if _HUB.match(str(value)):
        return str(value)
    return re.split(r"[/\\]", str(value).rstrip("/\\"))[-1]


def plain(value: Any, depth: int = 2) -> Any:
    """Reduce a value of a file to what may be published: numbers, short texts without folders, lists and mappings of them."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value if math.isfinite(value) and abs(value) < 1e15 else None
    if isinstance(value, str):
        return _short(file_name(value), _LONGEST)
    if depth and isinstance(value, list | tuple):
        return [plain(item, depth - 1) for item in value[:100]]
    if depth and isinstance(value, dict):
        return {_short(key, 60): plain(item, depth - 1) for key, item in list(value.items())[:100]}
    return None


def shown(value: Any) -> str:
    """Write a plain value for a reader."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return escaped(", ".join(shown_plain(item) for item in value))
    if isinstance(value, dict):
        return escaped(", ".join(f"{name} {shown_plain(item)}" for name, item in value.items()))
    return escaped(value)


def shown_plain(value: Any) -> str:
    """Write a value within a longer text that is escaped as a whole."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Make the lines of a table of cells that are escaped already."""
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _short(value: object, longest: int) -> str:
    text = " ".join(one_line(str(value)[: 2 * longest]).split())
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
