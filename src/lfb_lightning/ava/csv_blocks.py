"""Parses a block of rows of AVA's csv files, of which every row is whole, straight into numbers."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd

from lfb_lightning.ava.csv_shape import FileShape
from lfb_lightning.ava.plain_rows import parse_plain_rows
from lfb_lightning.clock import Clock

# pandas 3 reads every float exactly; before, only this parser did.
_EXACT: dict[str, Any] = {} if int(pd.__version__.split(".")[0]) >= 3 else {"float_precision": "round_trip"}
_BEYOND = "beyond the last column"


def parse_block(
    block: bytes, columns: list[str], integers: Sequence[str], clock: Clock, shape: FileShape | None = None
) -> pd.DataFrame | None:
    """Parse whole lines as the columns of `read_number_rows`; None unless every row is whole and numeric.

    `shape` is that of the file, which is not given to pandas where it is misshapen.
    """
    plain = parse_plain_rows(block, len(columns))
    if plain is None:
        is_odd = shape is not None and shape.is_misshapen()
        return None if is_odd else parse_any(BytesIO(block), columns, integers, clock)
    order = np.argsort(np.array(plain.names, dtype=object))
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    names = pd.Series([plain.names[index] for index in order], dtype=str)
    video = pd.Categorical.from_codes(place[plain.codes], categories=pd.Index(names))
    numbers = _numeric(dict(zip(columns[1:], plain.numbers, strict=True)), integers, clock)
    return None if numbers is None else pd.DataFrame({columns[0]: video, **numbers}, copy=False)


def parse_any(source: BytesIO, columns: list[str], integers: Sequence[str], clock: Clock) -> pd.DataFrame | None:
    """Parse lines as `parse_block` does, by pandas, whatever their form is."""
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
    return _whole(rows, columns, integers, clock)


def _whole(rows: pd.DataFrame, columns: list[str], integers: Sequence[str], clock: Clock) -> pd.DataFrame | None:
    if rows[_BEYOND].notna().any() or (rows[columns[0]] == "").any():
        return None
    numbers = _numeric({column: rows[column].to_numpy() for column in columns[1:]}, integers, clock)
    return None if numbers is None else pd.DataFrame({columns[0]: rows[columns[0]].astype("category"), **numbers})


def _numeric(values: dict[str, np.ndarray], integers: Sequence[str], clock: Clock) -> dict[str, np.ndarray] | None:
    """Make whole numbers of `integers`; None where a number is none, or not finite."""
    made = {}
    for column, numbers in values.items():
        if not np.isfinite(numbers).all():
            return None
        made[column] = numbers
        if column in integers:
            made[column], are_whole = whole_numbers(numbers, column, clock)
            if not are_whole.all():
                return None
    return made


def whole_numbers(values: np.ndarray, column: str, clock: Clock) -> tuple[np.ndarray, np.ndarray]:
    """Convert numbers to int64 (seconds to their ticks), and say which of them are whole (have a tick)."""
    if column == "timestamp":
        return clock.ticks(values)
    are_whole = (np.floor(values) == values) & (np.abs(values) < 2**53)
    return np.where(are_whole, values, 0).astype(np.int64), are_whole
