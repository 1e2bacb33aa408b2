"""AVA's headerless csv files as checked columns.

The common case, a file in which every row is whole, is parsed straight into numbers. Only when something is unusual is
the file read again as text, slowly and exactly, so that a message can name the offending row.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lfb_lightning.errors import InputError

# pandas 3 reads every float exactly; before, only this parser did.
_EXACT: dict[str, Any] = {} if int(pd.__version__.split(".")[0]) >= 3 else {"float_precision": "round_trip"}
_BEYOND = "beyond the last column"
_BLOCK_BYTES = 1 << 23


def read_number_rows(
    path: str | Path, columns: list[str], *, what: str, integers: Sequence[str], fill: dict[str, str] | None = None
) -> pd.DataFrame:
    """Read a headerless csv whose first column is a video id and whose others are numbers.

    The id becomes a categorical column, `integers` int64, the rest float64. The columns that `fill` names, the last
    ones, may be missing from a row and take its value. Raises InputError, naming the file and the row, for a missing
    file, a row of another width, or a value that is no such number.
    """
    fill = fill or {}
    rows = parse_whole_rows(path, columns, integers=integers)
    if rows is not None:
        return rows
    table = read_csv_rows(path, columns, what=what, optional=len(fill))
    rows = pd.DataFrame({columns[0]: table[columns[0]].astype("category")})
    for column in columns[1:]:
        texts = table.fillna({column: fill[column]}) if column in fill else table
        rows[column] = numbers(texts, column, path, integer=column in integers)
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
        if not np.isfinite(values).all() or (column in integers and not _are_whole(values).all()):
            return None
        if column in integers:
            rows[column] = values.astype(np.int64)
    rows[columns[0]] = rows[columns[0]].astype("category")
    return rows[columns]


def read_csv_rows(path: str | Path, columns: list[str], *, what: str, optional: int = 0) -> pd.DataFrame:
    """Read a headerless csv as text columns.

    The last `optional` columns may be missing from a row, and are then NaN. Raises InputError, naming the file and the
    row, for a missing file or a row of another width.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{what} {path}: no such file.")
    if path.stat().st_size == 0:
        return pd.DataFrame({column: pd.Series(dtype=str) for column in columns})
    try:
        _check_widths(path, columns, what, optional)
        with _losses_as_errors():
            table = pd.read_csv(path, header=None, dtype=str, keep_default_na=False, names=columns, index_col=False)
    except pd.errors.EmptyDataError:  # blank lines only
        return pd.DataFrame({column: pd.Series(dtype=str) for column in columns})
    except (pd.errors.ParserError, pd.errors.ParserWarning, UnicodeDecodeError) as error:
        raise InputError(f"{what} {path}: not a csv of {len(columns)} columns ({error}).") from error
    for column in columns[len(columns) - optional :]:
        table[column] = table[column].mask(table[column] == "")
    return table


def numbers(table: pd.DataFrame, column: str, path: str | Path, *, integer: bool = False) -> np.ndarray:
    """A column of texts as float64, or int64; raises InputError naming the first row that is no such number."""
    values = pd.to_numeric(table[column], errors="coerce")
    bad = ~np.isfinite(values.to_numpy(dtype=np.float64, na_value=np.nan))
    if integer and not bad.any():
        bad = ~_are_whole(values.to_numpy(dtype=np.float64))
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        kind = "a whole number" if integer else "a number"
        raise InputError(f"{path}, row {row + 1}: {column} is {table[column].iloc[row]!r}, expected {kind}.")
    return values.to_numpy(dtype=np.float64).astype(np.int64 if integer else np.float64)


def _are_whole(values: np.ndarray) -> np.ndarray:
    return (values % 1 == 0) & (np.abs(values) < 2**53)


def _check_widths(path: Path, columns: list[str], what: str, optional: int) -> None:
    widest, narrowest = len(columns), len(columns) - optional
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            width = line.count(",") + 1
            if line.strip() and not narrowest <= width <= widest:
                raise InputError(
                    f"{what} {path}, row {number}: {width} columns, expected {','.join(columns)}: {line.strip()[:120]!r}."
                )
