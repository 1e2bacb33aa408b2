"""Reading csv files whose first row names the columns, row by row and within bounds."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from lfb_lightning.errors import InputError

_MOST_BYTES, _MOST_ROWS = 1 << 27, 1 << 21  # EPIC-Kitchens' 67,000 training segments have 12 MB
_LONGEST_SHOWN = 60


class Row(NamedTuple):
    """A row of a csv file.

    Attributes:
        where: File and row, for messages; the row that names the columns is row 1.
        values: The text of each column by its name.
    """

    where: str
    values: dict[str, str]

    def whole_number(self, column: str, *, least: int = 0, most: int = 2**31 - 1) -> int:
        """Read a column as a whole number; raises InputError for anything else.

        Args:
            column: Its name.
            least: The least number that is allowed.
            most: The largest.
        """
        text = self.values[column].strip()
        if (
            not text.isascii()
            or not text.removeprefix("-").isdigit()
            or len(text) > 10
            or not least <= int(text) <= most
        ):
            raise self.error(column, f"a whole number from {least} to {most}")
        return int(text)

    def error(self, column: str, expected: str) -> InputError:
        """Make the error that says what a column holds and what was expected."""
        return InputError(f"{self.where}: {column} is {self.values[column][:_LONGEST_SHOWN]!r}, expected {expected}.")


def read_named_csv(
    path: str | Path,
    *,
    what: str,
    columns: Sequence[str],
    separator: str = ",",
    most_bytes: int = _MOST_BYTES,
    most_rows: int = _MOST_ROWS,
) -> Iterator[Row]:
    """Read a csv file (UTF-8, rows of any line ending, quoted fields) whose first row names the columns.

    Args:
        path: The file.
        what: What it is, for messages.
        columns: Columns that must be there, in any order among others.
        separator: What stands between two fields.
        most_bytes: A larger file is refused.
        most_rows: A longer one is, too: what is made of a row takes much more memory than its text.

    Yields:
        The rows, blank lines aside.

    Raises:
        InputError: The file is missing, too large or no csv, a column is missing, or a row has another number of fields.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{what} {path}: no such file.")
    if (size := path.stat().st_size) > most_bytes:
        raise InputError(f"{what} {path}: {size} bytes, expected at most {most_bytes}.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, delimiter=separator)
            names = next(rows, [])
            missing = [name for name in columns if name not in names]
            if missing:
                raise InputError(
                    f"{what} {path}, row 1: no column {missing[0]!r}, expected {separator.join(columns)}; found "
                    f"{separator.join(names)[:200]!r}."
                )
            twice = next((name for name, count in Counter(names).items() if name and count > 1), None)
            if twice is not None:  # which one counts would be anyone's guess
                raise InputError(
                    f"{what} {path}, row 1: column {twice[:_LONGEST_SHOWN]!r} comes twice, expected it once."
                )
            for number, fields in enumerate(rows, 2):
                where = f"{what} {path}, row {number}"
                if number > most_rows:
                    raise InputError(f"{where}: expected at most {most_rows} rows.")
                if fields and len(fields) != len(names):
                    raise InputError(f"{where}: {len(fields)} fields, expected the {len(names)} of row 1.")
                if fields:
                    yield Row(where, dict(zip(names, fields, strict=True)))
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{what} {path}: not a readable csv ({error}).") from error
