"""Reads AVA's headerless csv files as checked columns.

The common case, a file in which every row is whole, is parsed straight into numbers. Only when something is unusual is
the file read again as text, slowly and exactly, so that a message can name the offending row.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool
from pandas.api.types import union_categoricals

from lfb_lightning.ava.csv_blocks import parse_block, whole_numbers
from lfb_lightning.ava.csv_shape import BLOCK_BYTES, LONGEST_ROW, FileShape, check_shape
from lfb_lightning.clock import SECONDS, Clock
from lfb_lightning.errors import InputError

_BLOCK_ROWS = 1 << 17


def read_number_rows(
    path: str | Path, columns: list[str], *, what: str, integers: Sequence[str], clock: Clock = SECONDS
) -> pd.DataFrame:
    """Read a headerless csv whose first column is a video id and whose others are numbers.

    Args:
        path: The file.
        columns: Names of its columns.
        what: What the file is, for messages.
        integers: Columns of whole numbers; a `timestamp` among them is a second, and becomes a tick.
        clock: The clock whose ticks those are.

    Returns:
        The id as a categorical column, `integers` as int64, the rest as float64.

    Raises:
        InputError: The file is missing, or a row has another width or a value that is no such number; the row is named.
    """
    rows = parse_whole_rows(path, columns, integers=integers, clock=clock)
    if rows is not None:
        return rows
    tables = read_csv_blocks(path, columns, what=what)
    return join_blocks(number_columns(table, path, integers, clock) for table in tables)


def join_blocks(blocks: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Join tables whose first column is categorical into one; its index is that of the blocks."""
    parts = list(blocks)
    ids = parts[0].columns[0]
    joined = pd.concat([part.drop(columns=ids) for part in parts])
    joined.insert(0, ids, union_categoricals([part[ids] for part in parts], ignore_order=True))
    return joined


def number_columns(
    table: pd.DataFrame, path: str | Path, integers: Sequence[str], clock: Clock = SECONDS
) -> pd.DataFrame:
    """Turn texts of a video id and of numbers into the columns of `read_number_rows`, under the same index."""
    video, *others = table.columns
    rows = pd.DataFrame({video: table[video].astype("category")})
    for column in others:
        rows[column] = numbers(table, column, path, integer=column in integers, clock=clock)
    return rows


def parse_whole_rows(
    path: str | Path, columns: list[str], *, integers: Sequence[str], clock: Clock = SECONDS
) -> pd.DataFrame | None:
    """Parse the rows as numbers; None unless the file is there and every row is whole and numeric."""
    blocks: list[pd.DataFrame] = []
    whole = parse_whole_blocks(path, columns, integers=integers, clock=clock, add=blocks.append)
    return join_blocks(blocks).reset_index(drop=True) if whole else None


def parse_whole_blocks(
    path: str | Path,
    columns: list[str],
    *,
    integers: Sequence[str],
    clock: Clock = SECONDS,
    add: Callable[[pd.DataFrame], None],
) -> bool:
    """Parse as `parse_whole_rows` does, some megabytes of rows at a time on two threads.

    `add` gets the blocks in order.

    Returns:
        False as soon as a row is unusual, True if none is.
    """
    path = Path(path)
    if not path.is_file() or path.stat().st_size == 0:
        return False
    shape, num_rows = FileShape(path), 0
    waiting: deque[Future[pd.DataFrame | None]] = deque()
    with path.open("rb") as file, ThreadPoolExecutor(2) as pool, _losses_as_errors():
        while True:
            if block := file.read(BLOCK_BYTES):
                block += (rest := file.readline(LONGEST_ROW))
                if len(rest) == LONGEST_ROW:  # a row that is far too long, or rows that end otherwise
                    if shape.is_misshapen():
                        return False
                    block += file.readline()
                waiting.append(pool.submit(parse_block, block, columns, integers, clock, shape))
            elif not waiting:
                return True
            if not block or len(waiting) > 2:  # parsed blocks do not pile up
                rows = waiting.popleft().result()
                num_rows += 0 if rows is None else len(rows)
                if rows is None or num_rows > shape.most_rows:
                    return False
                add(rows)


@contextmanager
def _losses_as_errors() -> Iterator[None]:
    with warnings.catch_warnings():  # of the process: entered by one thread only
        warnings.simplefilter("error", pd.errors.ParserWarning)
        yield


def read_csv_blocks(
    path: str | Path, columns: list[str], *, what: str, widths: Collection[int] | None = None
) -> Iterator[pd.DataFrame]:
    """Read a headerless csv as text columns, a block of rows at a time: a text takes 60 bytes, a number 8.

    Rows have as many columns as `columns`, or one of the numbers `widths`; those that a row lacks are empty texts.
    There is one table at least, and a table's index is the places of its rows in the file.

    Raises:
        InputError: The file is missing, or a row is of another width; the row is named.
    """
    path = Path(path)
    widths = {len(columns)} if widths is None else widths
    if not path.is_file():
        raise InputError(f"{what} {path}: no such file.")
    try:
        check_shape(path, columns, what, widths)
        with (
            _losses_as_errors(),
            pd.read_csv(
                path,
                header=None,
                dtype=str,
                keep_default_na=False,
                names=columns,
                index_col=False,
                chunksize=_BLOCK_ROWS,
            ) as tables,
        ):
            for table in tables:
                yield table.fillna("")
    except pd.errors.EmptyDataError:  # blank lines only
        yield pd.DataFrame({column: pd.Series(dtype=str) for column in columns})
    except (pd.errors.ParserError, pd.errors.ParserWarning, UnicodeDecodeError) as error:
        raise InputError(f"{what} {path}: not a csv of {len(columns)} columns ({error}).") from error


def have_two_columns(table: pd.DataFrame) -> Bool[np.ndarray, " N"]:
    """Find the rows that are `video_id,timestamp` and no more: AVA's way to say that nobody is in a keyframe."""
    return (table.iloc[:, 2:] == "").all(axis=1).to_numpy()


def numbers(
    table: pd.DataFrame, column: str, path: str | Path, *, integer: bool = False, clock: Clock = SECONDS
) -> np.ndarray:
    """Convert a column of texts to float64, or int64; the table's index is the places of its rows in the file.

    Raises:
        InputError: A text is no such number; its row is named.
    """
    values = pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = ~np.isfinite(values)
    whole = values
    if integer and not bad.any():
        whole, are_whole = whole_numbers(values, column, clock)
        bad = ~are_whole
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        expected = "expected a whole number" if integer else "expected a number"
        if integer and column == "timestamp" and np.isfinite(values[row]):
            expected = clock.expected(values[row])
        where = name_row(path, int(table.index[row]))
        raise InputError(f"{path}, {where}: {column} is {table[column].iloc[row]!r}, {expected}.")
    return whole


def name_row(path: str | Path, place: int) -> str:
    """Name a row for a message, `row 7`: the line of row number `place`, counted from 0; blank lines are no rows."""
    with Path(path).open(encoding="utf-8", errors="replace") as lines:  # text: a \r alone ends a line too
        rows = (number for number, line in enumerate(lines, 1) if line.strip())
        return f"row {next(islice(rows, place, None), place + 1)}"
