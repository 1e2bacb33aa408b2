"""Reading the header of a safetensors file without its tensors: their names, dtypes, shapes and places.

The stated dtypes and shapes are compared with the number of bytes in the file before any tensor is read.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lfb_lightning.files.json_file import parse_json

_LENGTH_BYTES = 8
_LONGEST_HEADER = 1 << 20  # bytes; a bank's file has less than a thousand
_MOST_DIMENSIONS = 8
NUMPY = {"F64": np.float64, "F32": np.float32, "I64": np.int64, "I32": np.int32, "I8": np.int8, "U8": np.uint8}
_ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


class TensorSpan(NamedTuple):
    """Where a tensor lies in its file.

    Args:
        dtype: The name of its dtype in the file, such as `F16`.
        shape: Its shape.
        begin: The byte at which it begins, counted from the start of the file.
        end: The byte after its last one.
    """

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read_safetensors_header(path: Path) -> tuple[Mapping[str, Any], dict[str, TensorSpan]]:
    """Read a file's header.

    Args:
        path: The file.

    Returns:
        The metadata, and the place of each tensor by name.

    Raises:
        ValueError: The file is not whole, or is not a safetensors file.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        return parse_safetensors_header(file.read, os.fstat(file.fileno()).st_size)


def parse_safetensors_header(
    read: Callable[[int], bytes], size: int
) -> tuple[Mapping[str, Any], dict[str, TensorSpan]]:
    """Read the header of a file of `size` bytes, of which `read` gives the next ones; see `read_safetensors_header`."""
    length = int.from_bytes(read(_LENGTH_BYTES), "little")
    if not 0 < length <= min(size - _LENGTH_BYTES, _LONGEST_HEADER):
        raise ValueError(f"its header of {length} bytes is cut off, or longer than {_LONGEST_HEADER}")
    header = parse_json(read(length))
    metadata = header.pop("__metadata__", {}) if isinstance(header, dict) else None
    if not isinstance(metadata, dict):
        raise ValueError("its header is not one of safetensors")
    begin = _LENGTH_BYTES + length
    spans = {name: _span(name, entry, begin) for name, entry in header.items()}
    end = max((span.end for span in spans.values()), default=begin)
    if end != size:
        raise ValueError(f"{size} bytes, but its header speaks of {end}")
    return metadata, spans


def read_tensor(path: Path, span: TensorSpan) -> np.ndarray:
    """Read one tensor of a file whose header has been read.

    Args:
        path: The file.
        span: The tensor's place.

    Returns:
        A new array of the tensor's shape.

    Raises:
        ValueError: The dtype is not one that is read, or the file has become shorter.
        OSError: The file cannot be read.
    """
    if span.dtype not in NUMPY:
        raise ValueError(f"it holds a tensor of dtype {span.dtype!r}")
    count = math.prod(span.shape)
    return np.fromfile(path, dtype=NUMPY[span.dtype], count=count, offset=span.begin).reshape(span.shape)


def _span(name: str, entry: Any, base: int) -> TensorSpan:
    try:
        dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"its header does not describe {name!r} as safetensors does") from error
    numbers = [begin, end, *shape] if isinstance(shape, list) else [None]
    sound = isinstance(dtype, str) and len(numbers) <= _MOST_DIMENSIONS + 2
    if not sound or not all(type(number) is int and 0 <= number < 2**63 for number in numbers):
        raise ValueError(f"its header does not describe {name!r} as safetensors does")
    if end - begin != math.prod(shape) * _ITEM_BYTES.get(dtype, -1):
        raise ValueError(f"its {name!r} is {end - begin} bytes long, but of shape {shape} and dtype {dtype!r}")
    return TensorSpan(dtype, tuple(shape), base + begin, base + end)
