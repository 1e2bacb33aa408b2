"""Reads the many small arrays of a pickled dict at once: AVA's proposals are 200,000, each of forty opcodes.

An array that follows another of the same width and dtype as the next value of a dict is described by the same bytes but for
its key, its length and its content. So after an array that was read opcode by opcode, those that follow it are found by one
regular expression each; and once some are, the others that number each part with the number that comes next, as pickles of
protocol 4 do, are found many at a time. Whatever looks different, such as the end of a batch of keys, is left to the opcodes.
"""

from __future__ import annotations

import mmap
import re
from itertools import islice, pairwise, takewhile
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from lfb_lightning.files.array_template import Template, TemplateReader
from lfb_lightning.files.pickle_machine import NEVER_SET, Name, PickleMachine

_PUT = rb"(?:\x94|q.|r.{4})"
_GET = rb"(?:h.|j.{4})"
_NEXT = b"\x94"  # numbers a part with the number that comes next
_MOST_ROWS = 64  # a longer array is read by its opcodes
_LONGEST_RUN = 4096  # arrays; a longer run is several
_IS_ENTRY = attrgetter("lastindex")  # of a match; None where only the empty alternative matched: no entry follows


class Run(NamedTuple):
    """Keys of a dict, a line each, and their arrays, one behind the other: `counts` rows each."""

    keys: bytes
    counts: list[int]
    rows: np.ndarray


class _Entries(NamedTuple):
    """Entries of a dict as they are described: what they repeat of the memo, how much they add to it, and where they end."""

    function: bytes
    dtype: bytes
    others: set[bytes]
    parts: int
    run: Run
    end: int


class ArrayRuns:
    """Continues a dict of arrays.

    Args:
        content: The pickle.
        empty_array: What stands for numpy's `_reconstruct`.
        joined: Takes the runs of the outermost dict, which they are then not in; None: all arrays are where they belong.
    """

    def __init__(self, content: mmap.mmap, empty_array: Name, joined: list[Run] | None = None) -> None:
        self.used = False
        self.joined = joined
        self._content = content
        self._empty_array = empty_array
        self._goes_on = True  # until a run is not what it looks like: others may not be either
        self._patterns: dict[tuple[int, int], re.Pattern[bytes]] = {}
        self._alike: _Alike | None = None

    def go_on(self, machine: PickleMachine) -> None:
        """Read the entries that follow the array on top of the stack, if that is a dict's value, and leave the rest.

        Args:
            machine: The state of the pickle, right after an array was filled.
        """
        stack, below = machine.stack, machine.below
        if len(stack) % 2 or not below or not below[-1] or type(below[-1][-1]) is not dict:
            return
        array = stack[-1]
        if self._goes_on and isinstance(array, np.ndarray) and array.ndim == 2 and array.size:
            start = self._content.tell()
            entries = None if self._alike is None else self._alike.read(array, start)
            if entries is None:
                entries = self._matched(machine, array, start)
            if entries is not None:
                self._goes_on = self._push(machine, array, entries)
                self.used |= self._goes_on
                self._content.seek(entries.end if self._goes_on else start)

    def _matched(self, machine: PickleMachine, array: np.ndarray, start: int) -> _Entries | None:
        """Find entries by the pattern; none where one has not the lengths or the numbers that it speaks of."""
        matches = self._pattern(array).finditer(self._content, start)
        found = list(islice(takewhile(_IS_ENTRY, matches), _LONGEST_RUN))
        if not found:
            return None
        columns = map(list, zip(*(entry.groups() for entry in found), strict=True))
        lengths, names, puts, functions, kinds, zeros, codes, counts, dtypes, bodies = columns
        parts = 6 if zeros[0] is None else 7  # key, (0,), arguments, array, shape, content, state
        sizes = [count[0] * array.shape[1] * array.itemsize for count in counts]
        number = len(found)
        self._goes_on = (
            (functions.count(functions[0]), dtypes.count(dtypes[0])) == (number, number)
            and zeros.count(None) in (0, number)
            and list(map(len, names)) == _numbers(lengths)
            and _are_in_order(puts, len(machine.memo), parts)
            and list(map(len, bodies)) == [size + (2 if size < 256 else 5) for size in sizes]
        )
        if not self._goes_on:
            return None
        joined = bytearray().join([body[-size:] for body, size in zip(bodies, sizes, strict=True)])
        rows = np.frombuffer(joined, array.dtype).reshape(-1, array.shape[1])
        run = Run(b"\n".join([*names, b""]), [count[0] for count in counts], rows)
        entries = _Entries(functions[0], dtypes[0], {*kinds, *codes}, parts, run, found[-1].end())
        if self._alike is None and puts[0] == _NEXT and zeros[0] is not None:
            self._alike = _Alike(self._content, array, entries, kinds[0], codes[0])
        return entries

    def _push(self, machine: PickleMachine, array: np.ndarray, entries: _Entries) -> bool:
        """Push keys and arrays, slices of one array, and number what the pickler has numbered.

        Returns:
            False, with nothing done, unless what the entries repeat is there, and their dtype is the array's.
        """
        run, parts = entries.run, entries.parts
        if not (
            _recall(machine, entries.function) is self._empty_array
            and _is_dtype(_recall(machine, entries.dtype), array.dtype)
            and all(_is_there(_recall(machine, get)) for get in entries.others)
        ):
            return False
        number = len(run.counts)
        machine.limits.spend_bytes(run.rows.nbytes)
        machine.limits.spend_objects(parts * number)
        numbered: list[Any] = [NEVER_SET] * (parts * number)
        if self.joined is not None and len(machine.below) == 1 and len(machine.below[0]) == 1:
            self.joined.append(run)
        else:
            keys = run.keys.decode("ascii").split("\n")[:-1]
            bounds = np.cumsum([0, *run.counts]).tolist()
            arrays = [run.rows[first:last] for first, last in pairwise(bounds)]
            numbered[::parts], numbered[parts - 4 :: parts] = keys, arrays
            pushed: list[Any] = [None] * (2 * number)
            pushed[::2], pushed[1::2] = keys, arrays
            machine.stack += pushed
        machine.memo += numbered
        return True

    def _pattern(self, array: np.ndarray) -> re.Pattern[bytes]:
        """Describe an entry: its key, `_reconstruct(ndarray, (0,), b"b")`, shape, dtype, order, content; else nothing."""
        width, itemsize = array.shape[1], array.itemsize
        if width > 255:
            return re.compile(b"")
        if (width, itemsize) not in self._patterns:
            contents = b"|".join(_described(rows * width * itemsize) for rows in range(1, _MOST_ROWS + 1))
            made = rb"(%b)(%b)(?:(K\x00\x85%b)|%b)(%b)\x87%bR%b" % (_GET, _GET, _PUT, _GET, _GET, _PUT, _PUT)
            state = rb"\(K\x01K(.)K%b\x86%b(%b)\x89(%b)%bt%bb" % (
                re.escape(bytes([width])), _PUT, _GET, contents, _PUT, _PUT,
            )  # fmt: skip
            key = rb"(\x8c.|X.{4})([ -~]{1,255}?)(%b)" % _PUT
            self._patterns[width, itemsize] = re.compile(key + made + state + b"|", re.DOTALL)
        return self._patterns[width, itemsize]


class _Alike:
    """Reads entries that differ from one in their keys, their lengths and their contents only, and number each part.

    Args:
        content: The pickle.
        array: An array of their width and dtype.
        entries: The first of these is the one.
        kind, code: What it repeats besides.
    """

    def __init__(self, content: mmap.mmap, array: np.ndarray, entries: _Entries, kind: bytes, code: bytes) -> None:
        self._entries = entries._replace(others={kind, code})
        self._dtype, self._width = array.dtype, array.shape[1]
        made = _NEXT + entries.function + kind + b"K\x00\x85\x94" + code + b"\x87\x94R\x94(K\x01K"
        shaped = b"K%b\x86\x94%b\x89" % (bytes([self._width]), entries.dtype)
        self._reader = TemplateReader(content, Template(made, shaped, b"\x94t\x94b", self._width * array.itemsize))

    def read(self, array: np.ndarray, start: int) -> _Entries | None:
        """Read those that follow `array`; None where the next is another."""
        if (array.dtype, array.shape[1]) != (self._dtype, self._width):
            return None
        found = self._reader.read(start)
        if found is None:
            return None
        rows = found.rows.view(self._dtype).reshape(-1, self._width)
        return self._entries._replace(run=Run(found.keys, found.counts, rows), end=found.end)


def _numbers(described: list[bytes]) -> list[int]:
    """Read the lengths of keys, each behind its opcode; almost all are one byte, and those are read together."""
    if set(map(len, described)) == {2}:
        return list(b"".join(described)[1::2])
    return [int.from_bytes(text[1:], "little") for text in described]


def _are_in_order(puts: list[bytes], first: int, step: int) -> bool:
    """Say whether the keys have the numbers that the memo gives them; the opcode `MEMOIZE` leaves that to the reader."""
    return puts.count(b"\x94") == len(puts) or all(
        put == b"\x94" or int.from_bytes(put[1:], "little") == first + step * place for place, put in enumerate(puts)
    )


def _described(size: int) -> bytes:
    """Describe a content of so many bytes with the opcode and the number that stand before it."""
    start = b"C" + bytes([size]) if size < 256 else b"B" + size.to_bytes(4, "little")
    return rb"%b.{%d}" % (re.escape(start), size)


def _is_dtype(recalled: Any, wanted: np.dtype[Any]) -> bool:
    plain = getattr(recalled, "plain", None)
    return plain is not None and plain == wanted  # numpy takes None for float64


def _is_there(recalled: Any) -> bool:
    return recalled is not None and recalled is not NEVER_SET


def _recall(machine: PickleMachine, get: bytes) -> Any:
    place = int.from_bytes(get[1:], "little")
    return machine.memo[place] if place < len(machine.memo) else None
