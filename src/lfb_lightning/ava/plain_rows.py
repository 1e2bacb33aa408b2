"""Parses the plainest form of AVA's csv files, and that only: an id, then decimal numbers of a few digits, nothing quoted.

Every file of a release is of this form, and rows whose columns are as long as each other's are numbers after a few operations
on all of them: they are laid out as a table of characters, some thousands at a time, which a processor's cache holds. A block
of rows that holds anything else, such as an exponent, a blank or an empty field, is left to pandas.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64, UInt8

_COMMA, _LINE, _POINT, _MINUS, _ZERO = b",\n.-0"
_MOST_DIGITS = 15  # a whole number of so many is exact as float64, and so is the power of ten that it is divided by
_DIGITS_OF_32_BITS = 9
_LONGEST_ID = 63
_MOST_COLUMNS, _MOST_LAYOUTS = 11, 64
_MOST_RUNS = 1 << 16  # rows whose id is not that of the row before: names are made one by one
_ODD_BYTES = (b"\r", b'"', b"\0")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # no part of the first id
_STEP = 1 << 14  # rows; their characters are some hundred kilobytes
_SEARCHED = 1 << 17  # bytes


class PlainRows(NamedTuple):
    """The columns of a block of rows: `names[codes]` are the ids."""

    codes: Int64[np.ndarray, " N"]
    names: list[str]
    numbers: list[Float64[np.ndarray, " N"]]


class _NotPlain(Exception):
    """Raised for a row that is not plain."""


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
    if num_columns > _MOST_COLUMNS or block.startswith(_BYTE_ORDER_MARK):
        return None
    text = np.frombuffer(block, dtype=np.uint8)
    bounds = _line_bounds(text)
    lengths = np.diff(bounds)  # with the line feed
    if lengths.min() < 2 * num_columns or lengths.max() > _LONGEST_ID + 1 + (num_columns - 1) * (_MOST_DIGITS + 2):
        return None
    columns = _Columns(len(lengths), num_columns)
    try:
        for length in np.flatnonzero(np.bincount(lengths)).tolist():
            lines = np.ndarray(len(text) - length + 1, f"V{length}", block, strides=(1,))  # one begins at every byte
            rows = np.flatnonzero(lengths == length)
            for start in range(0, len(rows), _STEP):
                some = rows[start : start + _STEP]
                columns.fill(some, np.ascontiguousarray(lines[bounds[some]].view(np.uint8).reshape(-1, length).T))
        return PlainRows(columns.codes, columns.names(), list(columns.numbers))
    except (_NotPlain, UnicodeDecodeError):
        return None


def _line_bounds(text: UInt8[np.ndarray, " S"]) -> Int64[np.ndarray, " M"]:
    """Find where each line begins, and the end."""
    parts = [np.zeros(1, np.int64)]
    for start in range(0, len(text), _SEARCHED):
        parts.append(np.flatnonzero(text[start : start + _SEARCHED] == _LINE) + (start + 1))
    return np.concatenate(parts)


class _Columns:
    """Columns that are filled by rows of one length."""

    def __init__(self, num_rows: int, num_columns: int) -> None:
        self.codes = np.empty(num_rows, dtype=np.int64)
        self.numbers = np.empty((num_columns - 1, num_rows))
        self._codes_of: dict[bytes, int] = {}
        self._num_runs = 0

    def names(self) -> list[str]:
        """Give the ids that the codes number."""
        if any(odd in name for name in self._codes_of for odd in _ODD_BYTES):
            raise _NotPlain
        return [name.decode() for name in self._codes_of]

    def fill(self, rows: Int64[np.ndarray, " N"], characters: UInt8[np.ndarray, "length N"]) -> None:
        """Parse rows of one length, those that have their commas at the same places together."""
        for _ in range(_MOST_LAYOUTS):
            commas = np.flatnonzero(characters[:, 0] == _COMMA).tolist()
            if len(commas) != len(self.numbers):
                break
            fit = (characters[commas] == _COMMA).all(axis=0)
            if fit.all():
                return self._parse(rows, characters, commas)
            self._parse(rows[fit], characters[:, fit], commas)
            rows, characters = rows[~fit], characters[:, ~fit]
        raise _NotPlain

    def _parse(
        self, rows: Int64[np.ndarray, " N"], characters: UInt8[np.ndarray, "length N"], commas: list[int]
    ) -> None:
        if not 1 <= commas[0] <= _LONGEST_ID:
            raise _NotPlain
        self.codes[rows] = self._coded(characters[: commas[0]])
        for column, (start, stop) in zip(self.numbers, pairwise([*commas, len(characters) - 1]), strict=True):
            column[rows] = _decimals(characters[start + 1 : stop])

    def _coded(self, characters: UInt8[np.ndarray, "length N"]) -> Int64[np.ndarray, " N"]:
        """Number the ids, each once for the rows of equal ones that follow each other."""
        changes = np.flatnonzero((characters[:, 1:] != characters[:, :-1]).any(axis=0)) + 1
        first = np.append(0, changes)
        self._num_runs += len(first)
        if self._num_runs > _MOST_RUNS or (characters == _COMMA).any():
            raise _NotPlain
        codes = [self._codes_of.setdefault(characters[:, row].tobytes(), len(self._codes_of)) for row in first.tolist()]
        return np.repeat(codes, np.diff(first, append=characters.shape[1]))


def _decimals(characters: UInt8[np.ndarray, "width N"]) -> Float64[np.ndarray, " N"]:
    """Make numbers of fields that have their sign and their point, if any, at the same places."""
    if not 1 <= len(characters) <= _MOST_DIGITS + 1:
        raise _NotPlain
    is_negative, points = characters[0, 0] == _MINUS, np.flatnonzero(characters[:, 0] == _POINT)
    digits = [place for place in range(int(is_negative), len(characters)) if place not in points[:1]]
    signs = [*([(0, _MINUS)] if is_negative else []), *((place, _POINT) for place in points[:1].tolist())]
    if not 1 <= len(digits) <= _MOST_DIGITS or any((characters[place] != sign).any() for place, sign in signs):
        raise _NotPlain
    whole = np.zeros(characters.shape[1], dtype=np.uint32 if len(digits) <= _DIGITS_OF_32_BITS else np.uint64)
    for place in digits:
        digit = characters[place] - np.uint8(_ZERO)
        if (digit > 9).any():  # what is less than 0 has become more than 9
            raise _NotPlain
        whole *= 10
        whole += digit
    decimals = len(characters) - 1 - int(points[0]) if len(points) else 0
    values = whole / 10.0**decimals
    return -values if is_negative else values
