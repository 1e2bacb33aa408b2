"""The report as text that can be pasted anywhere, and as JSON; neither says whose machine it is."""

from __future__ import annotations

import getpass
import os
import re
import socket
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lfb_lightning.doctor.line import Section
from lfb_lightning.version import __version__

FORMAT, VERSION = "lfb-lightning doctor", 1
_SHORTEST_NAME = 3


def section_text(section: Section) -> str:
    """Write a section: its name, then a line per fact and one per remedy."""
    lines = [section.check]
    for line in section.lines:
        lines.append(f"  {line.status:8}{line.what}")
        lines += [f"          -> {line.remedy}"] if line.remedy else []
    return anonymous("\n".join(lines)) + "\n"


def verdict(sections: Sequence[Section]) -> str:
    """Say in a line how many problems and notes there are."""
    problems, notes = count(sections, "problem"), count(sections, "note")
    return f"verdict: {_number(problems, 'problem')}, {_number(notes, 'note')} (notes: what only some uses need)"


def document(sections: Sequence[Section]) -> dict[str, Any]:
    """Return the report as plain data for `json.dumps`."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "package_version": __version__,
        "problems": count(sections, "problem"),
        "notes": count(sections, "note"),
        "checks": [
            {
                "check": section.check,
                "seconds": round(section.seconds, 3),
                "lines": [{name: anonymous(text) for name, text in asdict(line).items()} for line in section.lines],
            }
            for section in sections
        ],
    }


def count(sections: Sequence[Section], status: str) -> int:
    """Count the lines of a status."""
    return sum(line.status == status for section in sections for line in section.lines)


def anonymous(text: str) -> str:
    """Take the home folder, the user's name as a part of a path, and the machine's name out of a text."""
    # Not Path.home(), which raises for a user without an entry and without HOME, as containers have them.
    home = os.path.expanduser("~")  # noqa: PTH111
    homes = {home, str(Path(home).resolve())} - {"/", ""} if home != "~" else set()
    for home in sorted(homes, key=len, reverse=True):
        text = re.sub(rf"{re.escape(home)}(?![\w.-])", "~", text)
    for name, stands_for in ((_user(), "<user>"), (socket.gethostname(), "<host>")):
        if len(name) >= _SHORTEST_NAME and name != "localhost":
            before = r"(?<=[/\\=:])" if stands_for == "<user>" else r"(?<![\w-])"
            text = re.sub(rf"{before}{re.escape(name)}(?![\w-])", stands_for, text)
    return text


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a process whose user has no entry, as in some containers
        return ""


def _number(count: int, name: str) -> str:
    return f"{count or 'no'} {name}{'' if count == 1 else 's'}"
