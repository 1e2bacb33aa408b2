"""Pickles of plain containers of numpy arrays, read without running anything: proposals, Caffe2 weights."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from lfb_lightning.errors import InputError

_NUMPY = {"numpy", "numpy._core.multiarray", "numpy._core.numeric"}
_NUMPY_NAMES = {"ndarray", "dtype", "_reconstruct", "scalar", "_frombuffer"}
# Containers, and how protocol 2 stores bytes.
_PLAIN = {("collections", "OrderedDict"), ("_codecs", "encode"), ("__builtin__", "bytes")}


class _ArrayUnpickler(pickle.Unpickler):
    """Knows what a pickled numpy array needs; refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:
        current = module.replace("numpy.core", "numpy._core")  # numpy 1's name for it
        if (current in _NUMPY and name in _NUMPY_NAMES) or (module, name) in _PLAIN:
            return super().find_class(current, name)
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
            ) as error:
                raise InputError(f"{what} {path}: not a readable pickle of arrays ({error}).") from error
    raise InputError(f"{what} {path}: strings are neither ASCII nor latin1.")
