"""The header of a safetensors file, read without the tensors: what is in it, and at which bytes.

A header says which dtype and shape the bytes have; that is compared with how many bytes there are before anybody reads
them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lfb_lightning.files.json_file import parse_json

_LENGTH_BYTES = 8
_LONGEST_HEADER = 1 << 20  # ours take less than a thousand bytes
_MOST_DIMENSIONS = 8
_NUMPY = {"F64": np.float64, "F32": np.float32, "I64": np.int64, "I32": np.int32, "I8": np.int8, "U8": np.uint8}
_ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


class TensorSpan(NamedTuple):
    """Where a tensor stands in its file: dtype name, shape and absolute byte range."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read_safetensors_header(path: Path) -> tuple[Mapping[str, Any], dict[str, TensorSpan]]:
    """The metadata and the tensors' places; raises ValueError or OSError for a file that is not whole."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if not 0 < length <= min(size - _LENGTH_BYTES, _LONGEST_HEADER):
            raise ValueError(f"its header of {length} bytes is cut off, or longer than {_LONGEST_HEADER}")
        header = parse_json(file.read(length))
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
    """A tensor of a file whose header has been read; raises ValueError or OSError where that cannot be."""
    if span.dtype not in _NUMPY:
        raise ValueError(f"it holds a tensor of dtype {span.dtype!r}")
    count = math.prod(span.shape)
    return np.fromfile(path, dtype=_NUMPY[span.dtype], count=count, offset=span.begin).reshape(span.shape)


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
