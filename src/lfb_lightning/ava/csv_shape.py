"""Checks whether a file can be one of AVA's csv files at all, before anything of its size is made in memory."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from threading import Lock

import numpy as np

from lfb_lightning.errors import InputError

BLOCK_BYTES = 1 << 22
LONGEST_ROW = 10_000  # characters; AVA's have 50
_USUAL_ROWS, _SHORTEST_ROW = 5_000_000, 20  # more rows than that are taken from larger files only


def check_shape(path: Path, columns: list[str], what: str, widths: Collection[int]) -> None:
    """Raise InputError for a row of another width or length, or for more rows than a file of that size has."""
    expected = ",".join(columns)
    with path.open(encoding="utf-8") as lines:
        number = 0
        for number, line in enumerate(lines, 1):
            width = line.count(",") + 1
            if len(line) > LONGEST_ROW or (line.strip() and width not in widths):
                raise InputError(
                    f"{what} {path}, row {number}: {width} columns in {len(line)} characters, expected {expected}: "
                    f"{line[:200].strip()[:120]!r}."
                )
    if number > _most_rows(path):
        raise InputError(f"{what} {path}: {number} rows of a few characters each, expected {expected}.")


class FileShape:
    """Says whether a file is misshapen: whether a row is far too long, or rows are far too many, to be parsed in one go.

    Args:
        path: The file, which is read through when that is asked first, by whichever thread.
    """

    def __init__(self, path: Path) -> None:
        self.most_rows = _most_rows(path)
        self._path = path
        self._lock = Lock()
        self._known: bool | None = None

    def is_misshapen(self) -> bool:
        """Count the rows and measure the longest, unless that is done."""
        with self._lock:
            if self._known is None:
                rows, longest = _measured(self._path)
                self._known = longest > LONGEST_ROW or rows > self.most_rows
            return self._known


def _measured(path: Path) -> tuple[int, int]:
    """Count the rows, and the bytes of the longest."""
    rows = longest = open_row = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            text = np.frombuffer(block, dtype=np.uint8)
            ends = np.flatnonzero((text == ord("\n")) | (text == ord("\r")))
            bounds = np.concatenate([[-1 - open_row], ends, [len(text)]])
            longest = max(longest, int(np.diff(bounds).max()))
            open_row = len(text) - 1 - int(ends[-1]) if len(ends) else open_row + len(text)
            rows += len(ends)
    return rows, longest


def _most_rows(path: Path) -> int:
    return max(_USUAL_ROWS, path.stat().st_size // _SHORTEST_ROW)
