"""Limits on what a pickle may make, checked while it is read and once more on its whole content.

A small pickle can become large by sharing: a list that stands a thousand times in a list, which stands a thousand times in
another, takes little memory, but a loop over it visits a billion entries. So in the second check, a shared part is counted
every time it is met.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lfb_lightning.errors import InputError

# Limits for a file of up to 100 MB; a larger one may hold more in proportion. AVA's proposals (203,626 keyframes, 92 MB)
# take 5.5 million opcodes and 2 million objects. An opcode makes a number of up to 40 bytes, an object takes about 100.
_USUAL_FILE = 100_000_000
_MOST_OPCODES = 32_000_000
_MOST_OBJECTS = 8_000_000
_REPEATED_BYTES = 4  # per byte of the file, since weights that several layers share are counted with each layer
_FREE_BYTES = 16_000_000
_MOST_EMPTY = 1 << 20  # rows without columns, or columns without rows
_DEEPEST = 64
_CONTAINERS = (list, tuple, dict, set, frozenset)
_LONGEST_KEY_TUPLE = 16
_NO_SHAPE = "it holds an array that is not described as numpy describes one"
_TOO_LARGE = "it repeats its parts until they are larger than a file of its size can be"


class Inert:
    """Stands in for an object of an unknown class: a pickle can call it and fill it, which does nothing."""


class PickleLimits:
    """What the pickles of one file may still make.

    Args:
        file_bytes: The size of the file, in proportion to which the limits are set.
    """

    def __init__(self, file_bytes: int) -> None:
        scale = max(1.0, file_bytes / _USUAL_FILE)
        self.file_bytes = file_bytes
        self.opcodes = int(_MOST_OPCODES * scale)
        self._objects = int(_MOST_OBJECTS * scale)
        self._bytes = 2 * file_bytes  # pickles of protocol 2 make a text first and then the bytes
        self.repeated_bytes = _FREE_BYTES + _REPEATED_BYTES * file_bytes

    def spend_objects(self, count: int) -> None:
        """Count `count` small containers or strings (about 100 bytes each); raises InputError beyond the limit."""
        self._objects -= count
        if self._objects < 0:
            raise InputError("it is made of more lists, dicts, arrays and strings than a file of its size can be")

    def spend_bytes(self, count: int) -> None:
        """Count the bytes of an array; raises InputError when arrays hold more than the file, which stores each of them."""
        self._bytes -= count
        if self._bytes < 0:
            raise InputError("its arrays hold more bytes than the file")


def check_shape(shape: Any) -> int:
    """Return the number of elements of a shape; raises InputError if it is not a shape, or empty but very long."""
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
    """Raise InputError unless a key is a number, a string, or a short tuple of them: hashing others can take for ever."""
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
    """Raise InputError if the content has too many, too large or too deep parts, counted level by level."""
    level, parts, content_bytes = [content], 0, 0
    for _ in range(_DEEPEST):
        below: list[Any] = []
        for node in level:
            children = node.values() if isinstance(node, dict) else node
            parts += len(children)
            if parts > limits.opcodes:
                raise InputError(_TOO_LARGE)
            for child in children:
                if isinstance(child, _CONTAINERS):
                    below.append(child)
                elif type(child) is np.ndarray:
                    content_bytes += child.nbytes
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
