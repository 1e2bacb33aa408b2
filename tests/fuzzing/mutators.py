"""Ways to spoil a file: blindly, byte by byte, or through its form, so that what is spoilt lies behind the first checks.

A form takes a file apart into nested lists and dicts (`parse`) and puts such parts together again (`build`). One function,
`change_somewhere`, deletes, repeats, swaps or replaces any of those parts, whatever the form. Chance is a `random.Random`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

Mutation = Callable[[bytes, Random], bytes]

TEXTS = [b"", b",", b"\n", b"\r", b"\r\n", b'"', b"'", b" ", b":", b"<", b">", b"&x;", b"/", b"{", b"}", b"[", b"]"]
TEXTS += [b"null", b"true", b"nan", b"NaN", b"inf", b"1e400", b"-1", b"0", b"0x1f", b"9" * 40, b"1_0", b"\x00", b"\xff"]
TEXTS += ["é\u2028٣".encode(), b"#", b"\\", b"${oc.env:HOME}", b"../../x", b"\x1b[2J", b"9" * 5000, b"[" * 5000]
EDGES = [0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF]
_HEAD = 2048  # bytes at either end of a file, where headers and indexes stand


def any_bytes(content: bytes, chance: Random) -> bytes:
    """A few places overwritten, deleted, doubled or filled in; now and then the end is missing."""
    spoilt = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(spoilt) + 1)
        if len(spoilt) > 2 * _HEAD and chance.random() < 0.7:
            place = chance.choice([0, len(spoilt) - _HEAD]) + chance.randrange(_HEAD)
        length = min(chance.choice([1, 1, 2, 4, 8, 20]), len(spoilt) - place)
        how = chance.randrange(10)
        if how < 5:
            spoilt[place : place + length] = bytes([chance.choice([*EDGES, chance.randrange(256)])]) * length
        elif how < 7:
            spoilt[place : place + length] = chance.choice(TEXTS)
        else:
            spoilt[place : place + length] = chance.choice([b"", bytes(spoilt[place : place + length]) * 2])
    if chance.random() < 0.1:
        del spoilt[chance.randrange(len(spoilt) + 1) :]
    return bytes(spoilt)


@dataclass(frozen=True)
class Form:
    """A kind of file.

    Args:
        parse: a right file's parts, nested lists and dicts.
        build: a file of such parts; raises on parts that no such file can hold.
        others: what may stand in a part's place, given that part; without it, spoilt bytes or one of `VALUES`.
        equal: changes after which the file means the same.
    """

    parse: Callable[[bytes], Any]
    build: Callable[[Any], bytes]
    others: Callable[[Any, Random], Any] | None = None
    equal: Sequence[Mutation] = field(default_factory=list)

    def spoilt(self, content: bytes, chance: Random) -> bytes:
        """The file with parts of it, or just bytes, changed."""
        if chance.random() < 0.3:
            return any_bytes(content, chance)
        parts = [self.parse(content)]
        try:
            for _ in range(chance.choice([1, 1, 2, 4])):
                change_somewhere(parts, chance, self.others or other_value)
            return self.build(parts[0])
        except Exception:  # whatever a library raises on such parts: there is no such file
            return any_bytes(content, chance)


VALUES: list[Any] = [None, True, False, 0, 1, -1, 2, 2.5, -0.0, 1e300, float("nan"), float("inf"), 2**31, 2**63, 10**40]
VALUES += ["", "x", "1", "0902", "é\u2028\n\x1b", "x" * 5000, b"x", [], {}, [[]], [1], {"a": 1}, {"x": None}]


def other_value(part: Any, chance: Random) -> Any:
    """Something else of the same type, or of another."""
    if isinstance(part, bytes) and chance.random() < 0.8:
        return any_bytes(part, chance)
    if isinstance(part, str) and chance.random() < 0.4:
        return any_bytes(part.encode(), chance).decode(errors="replace")
    if type(part) in (int, float) and chance.random() < 0.4:
        return chance.choice([-part, part + 1, part - 1, part * 1000, part / 7, str(part), float(part)])
    nested: Any = chance.choice(VALUES)
    if chance.random() < 0.05:
        for _ in range(chance.choice([40, 3000])):
            nested = [nested]
    return copy.deepcopy(nested) if chance.random() < 0.8 else [part]


def change_somewhere(parts: list[Any], chance: Random, others: Callable[[Any, Random], Any]) -> None:
    """Delete, repeat, swap or replace one of the parts, at any depth."""
    places: list[tuple[Any, Any]] = []
    below: list[Any] = [parts]
    while below:
        here = below.pop()
        for key in list(here) if isinstance(here, dict) else range(len(here)):
            places.append((here, key))
            if isinstance(here[key], list | dict):
                below.append(here[key])
    here, key = chance.choice(places)
    how = chance.random()
    if how < 0.2 and here is not parts:
        del here[key]
    elif how < 0.3:
        other, there = chance.choice(places)  # also one of another depth, or around this one
        here[key] = copy.deepcopy(other[there])
    elif how < 0.45 and isinstance(here, list) and here is not parts:
        here[key:key] = [here[key]] * chance.choice([1, 1, 2, 300])
    elif how < 0.5 and isinstance(here, dict):
        here[chance.choice(["", "x", 0, -1, "0902", "\n"])] = here.pop(key) if chance.random() < 0.5 else here[key]
    else:
        here[key] = others(here[key], chance)
