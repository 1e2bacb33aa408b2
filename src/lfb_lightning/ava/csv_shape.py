"""Checks whether a file can be one of AVA's csv files at all, before anything of its size is made in memory."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import numpy as np

from lfb_lightning.errors import InputError

BLOCK_BYTES = 1 << 23
_LONGEST_ROW = 10_000  # characters; AVA's have 50
_USUAL_ROWS, _SHORTEST_ROW = 5_000_000, 20  # more rows than that are taken from larger files only


def check_shape(path: Path, columns: list[str], what: str, widths: Collection[int]) -> None:
    """Raise InputError for a row of another width or length, or for more rows than a file of that size has."""
    expected = ",".join(columns)
    with path.open(encoding="utf-8") as lines:
        number = 0
        for number, line in enumerate(lines, 1):
            width = line.count(",") + 1
            if len(line) > _LONGEST_ROW or (line.strip() and width not in widths):
                raise InputError(
                    f"{what} {path}, row {number}: {width} columns in {len(line)} characters, expected {expected}: "
                    f"{line[:200].strip()[:120]!r}."
                )
    if number > _most_rows(path):
        raise InputError(f"{what} {path}: {number} rows of a few characters each, expected {expected}.")


def is_misshapen(path: str | Path) -> bool:
    """Say whether a row is far too long, or rows are far too many, to be parsed in one go."""
    rows = longest = open_row = 0
    with Path(path).open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            text = np.frombuffer(block, dtype=np.uint8)
            ends = np.flatnonzero((text == ord("\n")) | (text == ord("\r")))
            bounds = np.concatenate([[-1 - open_row], ends, [len(text)]])
            longest = max(longest, int(np.diff(bounds).max()))
            open_row = len(text) - 1 - int(ends[-1]) if len(ends) else open_row + len(text)
            rows += len(ends)
    return longest > _LONGEST_ROW or rows > _most_rows(path)


def _most_rows(path: str | Path) -> int:
    return max(_USUAL_ROWS, Path(path).stat().st_size // _SHORTEST_ROW)
