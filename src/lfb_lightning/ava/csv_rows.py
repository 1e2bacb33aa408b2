"""AVA's headerless csv files as checked columns.

The common case, a file in which every row is whole, is parsed straight into numbers. Only when something is unusual is
the file read again as text, slowly and exactly, so that a message can name the offending row.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool

from lfb_lightning.errors import InputError
from lfb_lightning.seconds import are_whole_seconds, expected_second

# pandas 3 reads every float exactly; before, only this parser did.
_EXACT: dict[str, Any] = {} if int(pd.__version__.split(".")[0]) >= 3 else {"float_precision": "round_trip"}
_BEYOND = "beyond the last column"
_BLOCK_BYTES = 1 << 23


def read_number_rows(path: str | Path, columns: list[str], *, what: str, integers: Sequence[str]) -> pd.DataFrame:
    """Read a headerless csv whose first column is a video id and whose others are numbers.

    The id becomes a categorical column, `integers` int64, the rest float64; a `timestamp` among the integers is a second
    within the bound. Raises InputError, naming the file and the row, for a missing file, a row of another width, or a value
    that is no such number.
    """
    rows = parse_whole_rows(path, columns, integers=integers)
    return rows if rows is not None else number_columns(read_csv_rows(path, columns, what=what), path, integers)


def number_columns(table: pd.DataFrame, path: str | Path, integers: Sequence[str]) -> pd.DataFrame:
    """Texts of a video id and of numbers as `read_number_rows` returns them, under the table's index."""
    video, *others = table.columns
    rows = pd.DataFrame({video: table[video].astype("category")})
    for column in others:
        rows[column] = numbers(table, column, path, integer=column in integers)
    return rows


def parse_whole_rows(path: str | Path, columns: list[str], *, integers: Sequence[str]) -> pd.DataFrame | None:
    """The rows as numbers, or None unless the file is there and every row is whole and numeric."""
    if not Path(path).is_file() or Path(path).stat().st_size == 0:
        return None
    with _losses_as_errors():
        return _parse(path, columns, integers)


def parse_whole_blocks(
    path: str | Path, columns: list[str], *, integers: Sequence[str], add: Callable[[pd.DataFrame], None]
) -> bool:
    """As `parse_whole_rows`, some megabytes of rows at a time on two threads; False as soon as a row is unusual.

    `add` gets the blocks in order.
    """
    if not Path(path).is_file() or Path(path).stat().st_size == 0:
        return False
    waiting: deque[Future[pd.DataFrame | None]] = deque()
    with Path(path).open("rb") as file, ThreadPoolExecutor(2) as pool, _losses_as_errors():
        while True:
            if block := file.read(_BLOCK_BYTES):
                waiting.append(pool.submit(_parse, BytesIO(block + file.readline()), columns, integers))
            elif not waiting:
                return True
            if not block or len(waiting) > 2:  # parsed blocks do not pile up
                rows = waiting.popleft().result()
                if rows is None:
                    return False
                add(rows)


@contextmanager
def _losses_as_errors() -> Iterator[None]:
    with warnings.catch_warnings():  # of the process: entered by one thread only
        warnings.simplefilter("error", pd.errors.ParserWarning)
        yield


def _parse(source: str | Path | BytesIO, columns: list[str], integers: Sequence[str]) -> pd.DataFrame | None:
    types: dict[str, Any] = dict.fromkeys([*columns[1:], _BEYOND], "float64")
    types[columns[0]] = str  # pandas would make numbers of ids such as 0123 in a categorical
    try:
        rows = pd.read_csv(
            source,
            header=None,
            names=[*columns, _BEYOND],
            index_col=False,
            dtype=types,
            keep_default_na=False,
            na_values={_BEYOND: [""]},
            **_EXACT,
        )
    except (ValueError, OverflowError, pd.errors.ParserError, pd.errors.ParserWarning):
        return None
    return _whole(rows, columns, integers)


def _whole(rows: pd.DataFrame, columns: list[str], integers: Sequence[str]) -> pd.DataFrame | None:
    if rows[_BEYOND].notna().any() or (rows[columns[0]] == "").any():
        return None
    for column in columns[1:]:
        values = rows[column].to_numpy()
        if not np.isfinite(values).all() or (column in integers and not _are_integers(values, column).all()):
            return None
        if column in integers:
            rows[column] = values.astype(np.int64)
    rows[columns[0]] = rows[columns[0]].astype("category")
    return rows[columns]


def read_csv_rows(
    path: str | Path, columns: list[str], *, what: str, widths: Collection[int] | None = None
) -> pd.DataFrame:
    """Read a headerless csv as text columns.

    Rows have as many columns as `columns`, or one of the numbers `widths`; those that a row lacks are empty texts. Raises
    InputError, naming the file and the row, for a missing file or a row of another width.
    """
    path = Path(path)
    widths = {len(columns)} if widths is None else widths
    if not path.is_file():
        raise InputError(f"{what} {path}: no such file.")
    if path.stat().st_size == 0:
        return pd.DataFrame({column: pd.Series(dtype=str) for column in columns})
    try:
        _check_widths(path, columns, what, widths)
        with _losses_as_errors():
            table = pd.read_csv(path, header=None, dtype=str, keep_default_na=False, names=columns, index_col=False)
    except pd.errors.EmptyDataError:  # blank lines only
        return pd.DataFrame({column: pd.Series(dtype=str) for column in columns})
    except (pd.errors.ParserError, pd.errors.ParserWarning, UnicodeDecodeError) as error:
        raise InputError(f"{what} {path}: not a csv of {len(columns)} columns ({error}).") from error
    return table.fillna("")


def have_two_columns(table: pd.DataFrame) -> Bool[np.ndarray, " N"]:
    """Which rows are `video_id,timestamp` and nothing else: AVA's way to say that nobody is in a keyframe."""
    return (table.iloc[:, 2:] == "").all(axis=1).to_numpy()


def numbers(table: pd.DataFrame, column: str, path: str | Path, *, integer: bool = False) -> np.ndarray:
    """A column of texts as float64, or int64; raises InputError naming the first row that is no such number.

    The table's index are the places of its rows in the file.
    """
    values = pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = ~np.isfinite(values)
    if integer and not bad.any():
        bad = ~_are_integers(values, column)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        expected = "expected a whole number" if integer else "expected a number"
        if integer and column == "timestamp" and np.isfinite(values[row]):
            expected = expected_second(values[row])
        where = name_row(path, int(table.index[row]))
        raise InputError(f"{path}, {where}: {column} is {table[column].iloc[row]!r}, {expected}.")
    return values.astype(np.int64) if integer else values


def name_row(path: str | Path, place: int) -> str:
    """`row 7`: the line of a file's row number `place`, counted from 0; blank lines are no rows."""
    with Path(path).open(encoding="utf-8", errors="replace") as lines:  # text: a \r alone ends a line too
        rows = (number for number, line in enumerate(lines, 1) if line.strip())
        return f"row {next(islice(rows, place, None), place + 1)}"


def _are_integers(values: np.ndarray, column: str) -> np.ndarray:
    return are_whole_seconds(values) if column == "timestamp" else (values % 1 == 0) & (np.abs(values) < 2**53)


def _check_widths(path: Path, columns: list[str], what: str, widths: Collection[int]) -> None:
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            width = line.count(",") + 1
            if line.strip() and width not in widths:
                raise InputError(
                    f"{what} {path}, row {number}: {width} columns, expected {','.join(columns)}: {line.strip()[:120]!r}."
                )
