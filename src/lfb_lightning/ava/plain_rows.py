"""Parses the plainest form of AVA's csv files, and that only: an id, then decimal numbers of a few digits, nothing quoted.

Every file of a release is of this form, and the rows of one width are numbers after a few operations on all of them. A block
of rows that holds anything else, such as an exponent, a blank or an empty field, is left to pandas.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64, UInt8

_COMMA, _LINE, _POINT, _MINUS, _ZERO = b",\n.-0"
_MOST_DIGITS = 15  # a whole number of so many is exact as float64, and so is the power of ten that it is divided by
_DIGITS_OF_32_BITS = 9
_LONGEST_ID = 63
_MOST_COLUMNS, _MOST_LAYOUTS = 11, 64
_MOST_RUNS = 1 << 16  # rows whose id is not that of the row before: names are made one by one
_ODD_BYTES = (b"\r", b'"', b"\0")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # no part of the first id


class PlainRows(NamedTuple):
    """The columns of a block of rows: `names[codes]` are the ids."""

    codes: Int64[np.ndarray, " N"]
    names: list[str]
    numbers: list[Float64[np.ndarray, " N"]]


def parse_plain_rows(block: bytes, num_columns: int) -> PlainRows | None:
    """Parse rows of an id and numbers.

    Args:
        block: Whole lines.
        num_columns: Columns of a row, the id included.

    Returns:
        The columns, each number the float64 next to what is written; None where something is not plain.
    """
    if not block.endswith(b"\n"):
        block += b"\n"
    if num_columns > _MOST_COLUMNS or block.startswith(_BYTE_ORDER_MARK) or any(odd in block for odd in _ODD_BYTES):
        return None
    text = np.frombuffer(block, dtype=np.uint8)
    marks = np.flatnonzero((text == _COMMA) | (text == _LINE))
    if len(marks) != num_columns * block.count(b"\n"):
        return None
    ends = np.ascontiguousarray(marks.reshape(-1, num_columns).T)
    if (text[ends[-1]] != _LINE).any():  # then all others are commas
        return None
    starts = np.append(0, ends[-1, :-1] + 1)
    lengths = np.diff(ends, axis=0, prepend=starts[None] - 1) - 1
    if lengths.min() < 1 or lengths[0].max() > _LONGEST_ID or lengths[1:].max(initial=1) > _MOST_DIGITS + 1:
        return None
    return _of_layouts(text, starts, lengths)


def _of_layouts(
    text: UInt8[np.ndarray, " S"], starts: Int64[np.ndarray, " N"], lengths: Int64[np.ndarray, "C N"]
) -> PlainRows | None:
    """Parse rows whose columns are as long as each other's together, as a table of characters."""
    layout = lengths[0].copy()
    for length in lengths[1:]:
        layout = layout * 32 + length
    numbers = np.empty((len(lengths) - 1, len(starts)))
    kinds, distinct = pd.factorize(layout)
    if len(distinct) > _MOST_LAYOUTS:
        return None
    for kind in range(len(distinct)):
        rows = np.flatnonzero(kinds == kind)
        widths = lengths[:, rows[0]].tolist()
        whole = np.lib.stride_tricks.sliding_window_view(text, sum(widths) + len(widths))
        characters = np.ascontiguousarray(whole[starts[rows]].T)
        place = widths[0] + 1
        for column, width in enumerate(widths[1:]):
            parsed = _decimals(characters[place : place + width])
            if parsed is None:
                return None
            numbers[column, rows] = parsed
            place += width + 1
    ids = _ids(text, starts, lengths[0])
    return None if ids is None else PlainRows(*ids, list(numbers))


def _ids(
    text: UInt8[np.ndarray, " S"], starts: Int64[np.ndarray, " N"], lengths: Int64[np.ndarray, " N"]
) -> tuple[Int64[np.ndarray, " N"], list[str]] | None:
    """Number the ids, each once for the rows of equal ones that follow each other."""
    is_new = np.append(True, lengths[1:] != lengths[:-1])
    for length in np.flatnonzero(np.bincount(lengths)).tolist():
        rows = np.flatnonzero(
            lengths == length
        )  # where another length lies between two of them, it says that an id is new
        fields = np.lib.stride_tricks.sliding_window_view(text, length)[starts[rows]]
        is_new[rows[1:]] |= (fields[1:] != fields[:-1]).any(axis=1)
    first = np.flatnonzero(is_new)
    if len(first) > _MOST_RUNS:
        return None
    numbers: dict[bytes, int] = {}
    spans = zip(starts[first].tolist(), lengths[first].tolist(), strict=True)
    names = [text[start : start + length].tobytes() for start, length in spans]
    of_runs = np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)
    try:
        return np.repeat(of_runs, np.diff(first, append=len(starts))), [name.decode() for name in numbers]
    except UnicodeDecodeError:
        return None


def _decimals(characters: UInt8[np.ndarray, "width N"]) -> Float64[np.ndarray, " N"] | None:
    """Make numbers of fields that have their sign and their point, if any, at the same places."""
    is_negative, points = characters[0, 0] == _MINUS, np.flatnonzero(characters[:, 0] == _POINT)
    digits = [place for place in range(int(is_negative), len(characters)) if place not in points[:1]]
    signs = [*([(0, _MINUS)] if is_negative else []), *((place, _POINT) for place in points[:1].tolist())]
    if not 1 <= len(digits) <= _MOST_DIGITS or any((characters[place] != sign).any() for place, sign in signs):
        return None
    whole = np.zeros(characters.shape[1], dtype=np.uint32 if len(digits) <= _DIGITS_OF_32_BITS else np.uint64)
    for place in digits:
        digit = characters[place] - np.uint8(_ZERO)
        if (digit > 9).any():  # what is less than 0 has become more than 9
            return None
        whole *= 10
        whole += digit
    decimals = len(characters) - 1 - int(points[0]) if len(points) else 0
    values = whole / 10.0**decimals
    return -values if is_negative else values
