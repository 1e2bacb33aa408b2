"""Lists of classes: lines of a code and a name, such as `c000 Holding some clothes`."""

from __future__ import annotations

import re
from pathlib import Path

from lfb_lightning.charades.annotations import LARGEST_CLASS
from lfb_lightning.errors import InputError

_LINE = re.compile(r"([a-z])(\d{1,4})\s+(\S.*)")
_MOST_BYTES = 4_000_000


def read_classes(path: str | Path, *, letter: str = "c") -> dict[int, str]:
    """Read a list of classes.

    Args:
        path: The file: `Charades_v1_classes.txt`, or of objects or verbs.
        letter: What each code begins with: `c` for classes, `o` for objects, `v` for verbs.

    Returns:
        The name of each class, by its number; number 0 is a class like the others. The numbers have no gap.

    Raises:
        InputError: Naming file and line, for what cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"class list {path}: no such file.")
    if (size := path.stat().st_size) > _MOST_BYTES:
        raise InputError(f"class list {path}: {size} bytes, expected at most {_MOST_BYTES}.")
    names: dict[int, str] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"class list {path}: not a text file ({error}).") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None or match[1] != letter or int(match[2]) != len(names):
            raise InputError(
                f"class list {path}, row {number}: {line[:60]!r}, expected '{letter}{len(names):03} its name' (codes count "
                f"from {letter}000 without a gap, up to {LARGEST_CLASS})."
            )
        names[len(names)] = match[3]
    if not names:
        raise InputError(f"class list {path}: no class, expected lines such as '{letter}000 its name'.")
    return names
