"""Pickles of plain containers of numpy arrays, read without running anything: proposals, banks, Caffe2 weights.

numpy's own `ndarray` and `dtype` are not let in: called from a pickle they make arrays of objects out of the file's bytes,
which are then followed as pointers. What a pickle says of an array is checked, and the array made here.
"""

from __future__ import annotations

import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np

from lfb_lightning.errors import InputError

_PLAIN_KINDS = "biufcSU"  # numbers and strings, nothing that points elsewhere


class _Dtype:
    """A dtype as a pickle describes it; refuses objects, structures and subarrays."""

    def __init__(self, code: Any, align: Any = False, copy: Any = True) -> None:
        plain = np.dtype(code) if isinstance(code, str) else None
        if plain is None or plain.kind not in _PLAIN_KINDS:
            raise InputError(f"it holds an array of {code!r}; only arrays of numbers and strings are read")
        self.plain = plain

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, byte_order, subarray, names, fields = state[:5]
        if (subarray, names, fields) != (None, None, None):
            raise InputError("it holds an array of structures; only arrays of numbers and strings are read")
        self.plain = self.plain.newbyteorder(byte_order)


class _Array(np.ndarray):
    """An array that takes its content from a pickle's description of it."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, content = state
        if isinstance(content, str):
            content = content.encode("latin1")  # as Python 2 wrote it
        _check_size(shape, dtype, content)
        super().__setstate__((1, shape, dtype.plain, bool(fortran), bytes(content)))  # type: ignore[arg-type]  # its own bool


def _check_size(shape: Any, dtype: Any, content: Any) -> None:
    sizes_are_plain = isinstance(shape, tuple) and all(type(size) is int and size >= 0 for size in shape)
    if not (sizes_are_plain and isinstance(dtype, _Dtype) and isinstance(content, bytes | bytearray)):
        raise InputError("it holds an array that is not described as numpy describes one")
    wanted = math.prod(shape) * dtype.plain.itemsize
    if wanted != len(content):
        raise InputError(f"it holds an array of {len(content)} bytes, expected {wanted}")


def _empty_array(kind: Any, shape: Any, code: Any) -> np.ndarray:
    """Stands for numpy's `_reconstruct`: what comes next in the pickle fills the array."""
    return _Array((0,), np.int8)


def _scalar(dtype: Any, content: Any) -> Any:
    content = content.encode("latin1") if isinstance(content, str) else content
    _check_size((), dtype, content)
    return np.frombuffer(content, dtype.plain)[0]


def _from_buffer(content: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    _check_size(shape, dtype, content)
    return np.frombuffer(content, dtype.plain).reshape(shape, order="F" if order == "F" else "C")


def _no_bytes() -> bytes:
    """Stands for `bytes` as protocol 2 calls it: without arguments, for an empty one."""
    return b""


# numpy 1 says numpy.core for numpy._core.
_NUMPY: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): "numpy.ndarray",  # an argument of `_reconstruct` and nothing else
    ("numpy", "dtype"): _Dtype,
    ("numpy._core.multiarray", "_reconstruct"): _empty_array,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("__builtin__", "bytes"): _no_bytes,
}
# A container, and how protocol 2 stores bytes.
_PLAIN = {("collections", "OrderedDict"), ("_codecs", "encode")}


class _ArrayUnpickler(pickle.Unpickler):
    """Knows what a pickled numpy array needs; refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:
        ours = _NUMPY.get((module.replace("numpy.core", "numpy._core"), name))
        if ours is not None:
            return ours
        if (module, name) in _PLAIN:
            return super().find_class(module, name)
        raise InputError(f"it asks for {module}.{name}; only numpy arrays in plain containers are read")


def load_arrays(path: Path, *, what: str) -> Any:
    """The pickle's content; raises InputError, as `<what> <path>: ...`, for anything else in it, which is not run."""
    for encoding in ("ASCII", "latin1"):  # Python 2 pickles of arrays need latin1
        with path.open("rb") as file:
            try:
                return _ArrayUnpickler(file, encoding=encoding).load()
            except UnicodeDecodeError:
                continue
            except InputError as error:
                raise InputError(f"{what} {path}: {error}.") from error
            except (
                pickle.UnpicklingError,
                EOFError,
                ValueError,
                TypeError,
                KeyError,
                AttributeError,
                ImportError,
                IndexError,
                OverflowError,
                MemoryError,
            ) as error:
                raise InputError(f"{what} {path}: not a readable pickle of arrays ({error}).") from error
    raise InputError(f"{what} {path}: strings are neither ASCII nor latin1.")
