"""Reading pickles of plain containers of numpy arrays without running anything: proposals, banks, Caffe2 weights.

A pickle cannot call numpy's own `ndarray` and `dtype` here: called with chosen arguments, they make arrays of objects out of
the file's bytes, and those bytes are then followed as pointers. Instead, what a pickle says about an array is checked, and
the array is made by this module.
"""

from __future__ import annotations

import mmap
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from lfb_lightning.errors import InputError
from lfb_lightning.files.array_runs import ArrayRuns, Run
from lfb_lightning.files.pickle_limits import PickleLimits, check_key, check_shape
from lfb_lightning.files.pickle_machine import Name
from lfb_lightning.files.pickle_reader import read_pickle

_PLAIN_KINDS = "biufSU"  # numpy's codes of real numbers and strings, which hold no pointers
_LONGEST_CODE = 16  # characters of a dtype's name, such as "<U12" or "float32"


class _Dtype:
    """A dtype as a pickle describes it; refuses objects, structures and subarrays."""

    def __init__(self, limits: PickleLimits, code: Any, align: Any = False, copy: Any = True) -> None:
        plain = np.dtype(code) if isinstance(code, str) and len(code) <= _LONGEST_CODE else None
        if plain is None or plain.kind not in _PLAIN_KINDS:
            raise InputError(f"it holds an array of {str(code)[:50]!r}; only arrays of numbers and strings are read")
        self.plain = plain

    def take_state(self, limits: PickleLimits, state: tuple[Any, ...]) -> None:
        """Take the byte order; refuse what only an array of structures has."""
        _, byte_order, subarray, names, fields = state[:5]
        if (subarray, names, fields) != (None, None, None):
            raise InputError("it holds an array of structures; only arrays of numbers and strings are read")
        self.plain = self.plain.newbyteorder(byte_order)


class _Array(np.ndarray):
    """An array that takes its content from a pickle's description of it."""

    def take_state(self, limits: PickleLimits, state: tuple[Any, ...]) -> None:
        """Take the shape, the dtype and the bytes, after checking that they fit together."""
        _, shape, dtype, fortran, content = state
        content = _checked_content(limits, shape, dtype, content)
        self.__setstate__((1, shape, dtype.plain, bool(fortran), content))  # type: ignore[arg-type]  # its own bool


def _checked_content(limits: PickleLimits, shape: Any, dtype: Any, content: Any) -> bytes:
    if isinstance(content, str):
        content = content.encode("latin1")  # as Python 2 wrote it
    if not (isinstance(dtype, _Dtype) and isinstance(content, bytes | bytearray)):
        raise InputError("it holds an array that is not described as numpy describes one")
    elements, size = check_shape(shape), dtype.plain.itemsize
    if elements * size != len(content) or (size == 0 and elements > 0):
        raise InputError(f"it holds an array of {len(content)} bytes, expected {elements} elements of {size}")
    limits.spend_bytes(len(content))
    return content if isinstance(content, bytes) else bytes(content)


def _empty_array(limits: PickleLimits, kind: Any, shape: Any, code: Any) -> np.ndarray:
    """Stand in for numpy's `_reconstruct`: make an empty array, which the next part of the pickle fills."""
    return _Array((0,), np.int8)


def _scalar(limits: PickleLimits, dtype: Any, content: Any) -> Any:
    return np.frombuffer(_checked_content(limits, (), dtype, content), dtype.plain)[0]


def _from_buffer(limits: PickleLimits, content: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    content = bytearray(_checked_content(limits, shape, dtype, content))  # what is read can be written to
    return np.frombuffer(content, dtype.plain).reshape(shape, order="F" if order == "F" else "C")


def _encoded(limits: PickleLimits, text: Any, encoding: Any = "latin1") -> bytes:
    """Stand in for `codecs.encode`, by which pickles of protocol 2 store bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise InputError(f"it encodes a {type(text).__name__} as {str(encoding)[:50]!r}, expected bytes as latin1")
    limits.spend_bytes(len(text))
    return text.encode("latin1")


def _no_bytes(limits: PickleLimits) -> bytes:
    """Stand in for `bytes`, by which pickles of protocol 2 store empty bytes."""
    return b""


def _ordered_dict(limits: PickleLimits, items: Any = ()) -> OrderedDict[Any, Any]:
    limits.spend_objects(len(items))
    for key, _ in items:
        check_key(key)
    return OrderedDict(items)


_EMPTY_ARRAY = Name(_empty_array)
# What the names in a pickle of arrays stand for. numpy 2 writes numpy._core where numpy 1 writes numpy.core.
ARRAY_NAMES: Mapping[tuple[str, str], Any] = {
    ("numpy", "ndarray"): "numpy.ndarray",  # an argument of `_reconstruct` and nothing else
    ("numpy", "dtype"): Name(_Dtype),
    ("numpy.core.multiarray", "_reconstruct"): _EMPTY_ARRAY,
    ("numpy.core.multiarray", "scalar"): Name(_scalar),
    ("numpy.core.numeric", "_frombuffer"): Name(_from_buffer),
    ("__builtin__", "bytes"): Name(_no_bytes),
    ("_codecs", "encode"): Name(_encoded),
    ("collections", "OrderedDict"): Name(_ordered_dict),
}


def finder(names: Mapping[tuple[str, str], Any], expected: str) -> Callable[[str, str], Any]:
    """Make a function that looks up the names in a pickle.

    Args:
        names: What each `(module, name)` stands for.
        expected: What may be in the file, for the message about any other name.

    Returns:
        A function of module and name that raises InputError if they are not in the table.
    """

    def find(module: str, name: str) -> Any:
        found = names.get((module.replace("numpy._core", "numpy.core"), name))
        if found is None:
            raise InputError(f"it asks for {module}.{name}; only {expected} are read")
        return found

    return find


def load_arrays(path: Path, *, what: str) -> Any:
    """Read a pickle of plain containers, numbers, strings and numpy arrays; nothing in it is run.

    Args:
        path: The file.
        what: What the file is to the user, for messages: `<what> <path>: ...`.

    Returns:
        The content: containers as Python's own, arrays as numpy arrays that may be written to.

    Raises:
        InputError: The file cannot be read, is damaged, or holds or names anything else.
    """
    return _load(path, what, None)


def load_joined_arrays(path: Path, *, what: str) -> tuple[Any, list[Run]]:
    """Read a pickle as `load_arrays` does, but leave most arrays of a dict that is the whole content joined.

    Returns:
        The rest of the content, and the runs of joined arrays; a key may be in several of these.
    """
    joined: list[Run] = []
    return _load(path, what, joined), joined


def _load(path: Path, what: str, joined: list[Run] | None) -> Any:
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return _read(content, joined)
    except InputError as error:
        raise InputError(f"{what} {path}: {error}.") from error
    except (OSError, ValueError) as error:  # mmap's, for an empty file
        raise InputError(f"{what} {path}: cannot be read ({error}).") from error


def _read(content: mmap.mmap, joined: list[Run] | None) -> Any:
    find, runs = finder(ARRAY_NAMES, "numpy arrays in plain containers"), ArrayRuns(content, _EMPTY_ARRAY, joined)
    try:
        return read_pickle(content, find=find, limits=PickleLimits(len(content)), after_build=runs.go_on)
    except InputError:
        if not runs.used:
            raise
    if joined is not None:
        joined.clear()
    content.seek(0)  # it repeats what a run has not kept, or is wrong: then the opcodes say what is
    return read_pickle(content, find=find, limits=PickleLimits(len(content)))
