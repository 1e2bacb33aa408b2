"""Markdown of a code host, written as the site's builder reads it.

Both read the same words. But Python-Markdown wants a blank line before a list, and four blanks before what belongs to an item
behind a blank line, where a code host takes any list and as many blanks as the item's own mark has.
"""

from __future__ import annotations

import re

_ITEM = re.compile(r"( *)([*-]|\d+\.) +\S")
_FENCE = re.compile(r" *(```|~~~)")


def for_python_markdown(text: str) -> str:
    """Return a page's text with its lists as Python-Markdown wants them; code stays as it is."""
    lines: list[str] = []
    fenced = in_list = False
    for line in text.split("\n"):
        if _FENCE.match(line):
            fenced = not fenced
        before = lines[-1] if lines else ""
        item = None if fenced else _ITEM.match(line)
        indent = len(line) - len(line.lstrip())
        if item:
            if before and (not in_list or (len(lines) > 1 and not lines[-2])) and not _ITEM.match(before):
                lines.append("")
            in_list = True
            if indent:
                line = " " * 4 * -(-indent // 4) + line.lstrip()
        elif line and not indent and not before:
            in_list = False
        elif in_list and 0 < indent < 4 and not before:
            line = " " * 4 + line.lstrip()
        lines.append(line)
    return "\n".join(lines)
