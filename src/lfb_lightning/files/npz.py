"""Reading numpy's `.npz` files without running anything and without taking more memory than was looked at first.

`numpy.load(allow_pickle=False)` runs nothing either, but makes whatever a record claims to be: a file of a kilobyte can
unpack to a gigabyte. Here the header of an array is read first, of 64 kB at most; the array's size has to be that of the
record, and within limits that still hold when its numbers are made doubles and its texts Python's.
"""

from __future__ import annotations

import math
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.lib import format as npy

from lfb_lightning.errors import InputError

_MOST_BYTES = 1 << 30  # of one array: the scores of 30 views of all Charades videos have 70 MB
_MOST_NUMBERS, _MOST_TEXTS = 1 << 27, 1 << 24  # of one array; a text that Python has made has 50 bytes and more
_KINDS = "biufUS"  # truth values, numbers and texts: nothing that refers to Python objects
_COMPRESSIONS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # those that numpy writes
# What zipfile and numpy raise of a damaged file; RuntimeError is zipfile's of one that is encrypted.
_FAULTS = (zipfile.BadZipFile, zlib.error, KeyError, ValueError, EOFError, OSError, RuntimeError)


def read_npz(
    path: str | Path, *, what: str, names: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Read some arrays of an `.npz` file.

    Args:
        path: The file, as `numpy.savez` or `numpy.savez_compressed` writes it.
        what: What it is, for messages.
        names: Arrays that must be there.
        optional: Arrays that are read if they are there.

    Returns:
        The arrays by name.

    Raises:
        InputError: The file is missing or damaged, an array is missing, too large or of Python objects.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{what} {path}: no such file.")
    try:
        with zipfile.ZipFile(path) as archive:
            present = {name.removesuffix(".npy") for name in archive.namelist()}
            missing = [name for name in names if name not in present]
            if missing:
                raise InputError(
                    f"{what} {path}: no array {missing[0]!r}, expected {', '.join(names)}; found "
                    f"{', '.join(sorted(present))[:200] or 'none'}."
                )
            wanted = [*names, *(name for name in optional if name in present)]
            return {name: _array(archive, name) for name in wanted}
    except InputError:
        raise
    except _FAULTS as error:
        raise InputError(f"{what} {path}: not a readable .npz file ({error}).") from error


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    record = archive.getinfo(f"{name}.npy")
    if record.compress_type not in _COMPRESSIONS:
        raise ValueError(f"array {name!r} is compressed in another way than numpy does")
    with archive.open(record) as file:
        assert isinstance(file, zipfile.ZipExtFile)
        shape, by_columns, dtype = _header(file)
        if dtype.kind not in _KINDS:
            raise ValueError(f"array {name!r} holds {dtype}, expected numbers or texts")
        most = _MOST_TEXTS if dtype.kind in "US" else _MOST_NUMBERS
        # A side counts where another is 0, too: it is a shape later.
        if math.prod(max(side, 1) for side in shape) > most:
            raise ValueError(f"array {name!r} of shape {shape}, expected at most {most} values")
        size = math.prod(shape) * dtype.itemsize
        if size > _MOST_BYTES or size != record.file_size - file.tell():
            raise ValueError(f"array {name!r} of {size} bytes, expected those of its record and at most {_MOST_BYTES}")
        content = file.read(size)
        if len(content) != size:
            raise ValueError(f"array {name!r} is cut off")
    return np.frombuffer(content, dtype=dtype).reshape(shape, order="F" if by_columns else "C")


def _header(file: zipfile.ZipExtFile) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(file)
    if version != (1, 0):  # others are for headers of more than 64 kB, which no array of numbers or texts has
        raise ValueError(f"version {version[0]}.{version[1]} of numpy's format, expected 1.0")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy's, of a header that Python 2 wrote
            return npy.read_array_header_1_0(file)
    except (TokenError, MemoryError) as error:  # of Python's parser: numpy's header is a dictionary in Python's words
        raise ValueError("its header cannot be read") from error
