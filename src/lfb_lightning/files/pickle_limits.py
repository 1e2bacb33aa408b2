"""How much a pickle may make: counted while it is read, and once more for all that hangs on its content.

Sharing is what makes a small pickle large: a list that stands a thousand times in a list, which stands a thousand times
in another, takes no memory, and whoever goes through it meets a billion entries. So the content is measured as it looks
from outside, with everything that is shared counted as often as it is met.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lfb_lightning.errors import InputError

# For a file of up to 100 MB; a larger one may hold more in proportion. AVA's proposals (203,626 keyframes, 92 MB) take 5.5
# million opcodes and 2 million objects. The opcodes make numbers of 40 bytes at the most, the objects take about 100.
_USUAL_FILE = 100_000_000
_MOST_OPCODES = 32_000_000
_MOST_OBJECTS = 8_000_000
_REPEATED_BYTES = 4  # per byte of the file: weights that several layers share are counted with each
_FREE_BYTES = 16_000_000
_MOST_EMPTY = 1 << 20  # rows of nothing, or columns without a row
_DEEPEST = 64
_LONGEST_KEY_TUPLE = 16
_NO_SHAPE = "it holds an array that is not described as numpy describes one"
_TOO_LARGE = "it repeats its parts until they are larger than a file of its size can be"


class Inert:
    """Stands for an object that a pickle wanted and does not get: can be called and filled, and does nothing."""


class PickleLimits:
    """What one file's pickles may still make."""

    def __init__(self, file_bytes: int) -> None:
        scale = max(1.0, file_bytes / _USUAL_FILE)
        self.file_bytes = file_bytes
        self.opcodes = int(_MOST_OPCODES * scale)
        self._objects = int(_MOST_OBJECTS * scale)
        self._bytes = 2 * file_bytes  # protocol 2 has them as text first
        self.repeated_bytes = _FREE_BYTES + _REPEATED_BYTES * file_bytes

    def spend_objects(self, count: int) -> None:
        """Allow for the memory of `count` small containers or strings, about 100 bytes each."""
        self._objects -= count
        if self._objects < 0:
            raise InputError("it is made of more lists, dicts, arrays and strings than a file of its size can be")

    def spend_bytes(self, count: int) -> None:
        """Allow for an array's content: arrays do not hold more than the file, which stores each of them."""
        self._bytes -= count
        if self._bytes < 0:
            raise InputError("its arrays hold more bytes than the file")


def check_shape(shape: Any) -> int:
    """The number of elements of a shape; raises InputError for what is no shape, or one that only looks empty."""
    if type(shape) is not tuple or len(shape) > _DEEPEST:
        raise InputError(_NO_SHAPE)
    elements, extent = 1, 1
    for size in shape:
        if type(size) is not int or size < 0:
            raise InputError(_NO_SHAPE)
        elements *= size
        extent *= size or 1
    if elements == 0 and extent > _MOST_EMPTY:
        raise InputError(f"it holds an empty array of shape {shape}")
    return elements


def check_key(key: Any) -> None:
    """Raise InputError for a key that is no number or string, nor a short tuple of them: hashing others has no bound."""
    if type(key) is str or (type(key) is int and -(2**64) < key < 2**64):
        return
    if type(key) is tuple and len(key) <= _LONGEST_KEY_TUPLE:
        for item in key:
            if type(item) is tuple:
                raise InputError("it holds a key that is a tuple of tuples")
            check_key(item)
    elif not isinstance(key, bytes | float | bool | np.generic | Inert | None):
        raise InputError(f"it holds a key of type {type(key).__name__}, expected a string or a number")


def check_content(content: Any, limits: PickleLimits) -> None:
    """Go through the content a level at a time; raises InputError when it has too many, too large or too deep parts."""
    level, parts, content_bytes = [content], 0, 0
    for _ in range(_DEEPEST):
        below: list[Any] = []
        for node in level:
            children = node.values() if isinstance(node, dict) else node
            parts += len(children)
            if parts > limits.opcodes:
                raise InputError(_TOO_LARGE)
            for child in children:
                if isinstance(child, list | tuple | dict | set | frozenset):
                    below.append(child)
                elif type(child) is str or type(child) is bytes:
                    content_bytes += len(child)
                else:
                    content_bytes += getattr(child, "nbytes", 0)
            if content_bytes > limits.repeated_bytes:
                raise InputError(_TOO_LARGE)
        if not below:
            return
        level = below
    raise InputError(f"it nests its parts more than {_DEEPEST} deep")
