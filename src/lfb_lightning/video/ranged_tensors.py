"""The tensors of a safetensors file in an object store, as `safetensors.safe_open` gives those of a file on a disk."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import numpy as np

from lfb_lightning.files.objects.ranged_file import RangedFile
from lfb_lightning.files.objects.url import Url
from lfb_lightning.files.safetensors_header import TensorSpan, parse_safetensors_header

_DTYPES = {"F64": "<f8", "I64": "<i8", "I32": "<i4", "U8": "u1"}


class RangedTensors:
    """An open file of which parts are fetched as they are asked for.

    Args:
        url: The object.
        what: What it is, for messages.

    Raises:
        InputError: It is not there or cannot be read.
        ValueError: It is no safetensors file.
    """

    def __init__(self, url: Url, what: str) -> None:
        self._file = RangedFile(url, what)
        self.metadata: Mapping[str, Any]
        self.spans: dict[str, TensorSpan]
        self.metadata, self.spans = parse_safetensors_header(self._file.read, self._file.size)

    def __enter__(self) -> RangedTensors:
        """Give itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._file.close()

    def keys(self) -> list[str]:
        """List the names of the tensors."""
        return list(self.spans)

    def get_tensor(self, name: str) -> np.ndarray:
        """Read a tensor; raises KeyError for a name that is not there, ValueError for a dtype that is not read."""
        span = self.spans[name]
        return self._part(span, 0, math.prod(span.shape)).reshape(span.shape)

    def get_slice(self, name: str) -> _Slices:
        """Give what reads a part of a tensor of one dimension."""
        return _Slices(self, self.spans[name])

    def _part(self, span: TensorSpan, first: int, last: int) -> np.ndarray:
        if span.dtype not in _DTYPES:
            raise ValueError(f"it holds a tensor of dtype {span.dtype!r}")
        dtype = np.dtype(_DTYPES[span.dtype])
        self._file.seek(span.begin + first * dtype.itemsize)
        return np.frombuffer(self._file.read((last - first) * dtype.itemsize), dtype=dtype).copy()


class _Slices:
    def __init__(self, tensors: RangedTensors, span: TensorSpan) -> None:
        self._tensors, self._span = tensors, span

    def __getitem__(self, part: slice) -> np.ndarray:
        first, last, _ = part.indices(self._span.shape[0])
        return self._tensors._part(self._span, first, last)
