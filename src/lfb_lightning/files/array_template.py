"""Finds the small arrays of a pickled dict many at a time: those whose descriptions differ in a few bytes only.

Between the keys, the lengths and the contents of such arrays stand the same bytes again and again. A part of a file is cut up
at these; then numpy compares whatever else stands between, for all arrays of the part at once.
"""

from __future__ import annotations

import mmap
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64, UInt8

_WINDOW = 1 << 20  # bytes that are cut up at a time
_MARGIN = 1 << 14  # the last of these, where an array may be cut off
_KEY = 0x8C  # its opcode
_SHORT, _LONG = b"CB"  # those of contents of less than 256 bytes, and of more


class Template(NamedTuple):
    """What the descriptions of arrays have in common.

    Args:
        made: The bytes between a key and the number of rows.
        shaped: The bytes between that and the content.
        filled: The bytes behind the content.
        row_bytes: The size of a row.
    """

    made: bytes
    shaped: bytes
    filled: bytes
    row_bytes: int


class FoundArrays(NamedTuple):
    """Arrays that follow each other: lines of their keys, how many rows they have, the bytes of these, and where they end."""

    keys: bytes
    counts: list[int]
    rows: UInt8[np.ndarray, " bytes"]
    end: int


class _Window(NamedTuple):
    """A part of a file, and what looks like a description there: where its key ends, where it ends, how many rows it has.

    It `is_whole` if all but its key is as in the template; `breaks` are those that are not, or whose key does not stand right
    behind the one before, and the end. `rows` are those of the whole ones, one behind the other, and `first_rows` where each
    one's begin, and the end.
    """

    start: int
    content: bytes
    key_ends: Int64[np.ndarray, " N"]
    ends: Int64[np.ndarray, " N"]
    counts: Int64[np.ndarray, " N"]
    is_whole: Bool[np.ndarray, " N"]
    breaks: Int64[np.ndarray, " B"]
    first_rows: Int64[np.ndarray, " M"]
    rows: np.ndarray


class TemplateReader:
    """Reads the arrays of a template, from the beginning of a file to its end.

    Args:
        content: The pickle.
        template: What they have in common.
    """

    def __init__(self, content: mmap.mmap, template: Template) -> None:
        self.template = template
        self._content = content
        self._window: _Window | None = None

    def read(self, start: int) -> FoundArrays | None:
        """Read the arrays from `start` on, where a key stands; None if that is not one of the template's.

        There may be more behind those that are given.
        """
        window = self._window
        if window is None or not 0 <= start - window.start < _WINDOW - _MARGIN:  # so each byte is looked at about once
            window = self._window = _cut_up(self._content, start, self.template)
        start -= window.start
        opcode, length = window.content[start : start + 2].ljust(2, b"\0")
        key_end = start + 2 + length
        first = int(window.key_ends.searchsorted(key_end))
        is_there = first < len(window.ends) and window.key_ends[first] == key_end and window.is_whole[first]
        if not is_there or opcode != _KEY or length == 0:
            return None
        stop = int(window.breaks[window.breaks.searchsorted(first, side="right")])
        ends = window.ends[first:stop]
        keys = _lines(window.content, np.append(start, ends[:-1]) + 2, window.key_ends[first:stop])
        if not _are_printable(keys, stop - first):
            return None
        rows = window.rows[window.first_rows[first] : window.first_rows[stop]]
        return FoundArrays(keys, window.counts[first:stop].tolist(), rows.view(np.uint8), window.start + int(ends[-1]))


def _cut_up(pickle: mmap.mmap, start: int, template: Template) -> _Window:
    """Find the descriptions in a part of a file."""
    content = pickle[start : start + _WINDOW]
    text = np.frombuffer(content, dtype=np.uint8)
    made, shaped, filled, row_bytes = template
    lengths = list(map(len, content.split(made)))[:-1]
    key_ends = np.cumsum(lengths, dtype=np.int64) + len(made) * np.arange(len(lengths))
    key_ends = key_ends[key_ends + len(made) + 1 + len(shaped) + 5 <= len(text)]
    shapes = key_ends + len(made) + 1
    counts = text[shapes - 1].astype(np.int64)
    sizes, opcodes = counts * row_bytes, shapes + len(shaped)
    is_short = sizes < 256
    long_sizes = np.ndarray(len(text) - 3, "<u4", content, strides=(1,)) if len(opcodes) else text
    is_whole = _stands_at(text, shapes, shaped) & (text[opcodes] == np.where(is_short, _SHORT, _LONG))
    is_whole &= np.where(is_short, text[opcodes + 1], long_sizes[opcodes + 1]) == sizes
    bodies = opcodes + np.where(is_short, 2, 5)
    ends = bodies + sizes + len(filled)
    is_whole &= (counts > 0) & (ends <= len(text))
    is_whole[:-1] &= ends[:-1] <= key_ends[1:]  # or it holds another, and together they hold more than the file
    ends = np.minimum(ends, len(text))
    is_whole &= _stands_at(text, ends - len(filled), filled)
    keys = np.minimum(ends, len(text) - 2)[:-1]
    goes_on = is_whole.copy()
    goes_on[1:] &= (text[keys] == _KEY) & (text[keys + 1] > 0) & (keys + 2 + text[keys + 1] == key_ends[1:])
    breaks = np.append(np.flatnonzero(~goes_on), len(ends))
    first_rows = np.concatenate([[0], np.cumsum(np.where(is_whole, counts, 0))])
    rows = _rows(content, bodies[is_whole], counts[is_whole], row_bytes)
    return _Window(start, content, key_ends, ends, counts, is_whole, breaks, first_rows, rows)


def _rows(
    content: bytes, bodies: Int64[np.ndarray, " N"], counts: Int64[np.ndarray, " N"], row_bytes: int
) -> np.ndarray:
    """Copy the rows of contents, one behind the other."""
    if not len(bodies):
        return np.zeros(0, f"V{row_bytes}")
    places = np.repeat(bodies - row_bytes * (np.cumsum(counts) - counts), counts)
    places += row_bytes * np.arange(len(places))
    return np.ndarray(len(content) - row_bytes + 1, f"V{row_bytes}", content, strides=(1,))[places]


def _stands_at(text: UInt8[np.ndarray, " S"], places: Int64[np.ndarray, " N"], wanted: bytes) -> Bool[np.ndarray, " N"]:
    stands = np.ones(len(places), dtype=bool)
    for offset, byte in enumerate(wanted):
        stands &= text[places + offset] == byte
    return stands


def _lines(content: bytes, starts: Int64[np.ndarray, " N"], ends: Int64[np.ndarray, " N"]) -> bytes:
    """Copy parts of a text, and end each with a line feed."""
    length = int(ends[0] - starts[0])
    if (ends - starts != length).any():
        return b"".join([content[first:end] + b"\n" for first, end in zip(starts.tolist(), ends.tolist(), strict=True)])
    lines = np.ndarray(len(content) - length, f"V{length + 1}", content, strides=(1,))[starts].view(np.uint8)
    lines[length :: length + 1] = ord("\n")
    return lines.tobytes()


def _are_printable(lines: bytes, number: int) -> bool:
    return lines.isascii() and lines.count(b"\n") == number and lines.decode().replace("\n", "").isprintable()
