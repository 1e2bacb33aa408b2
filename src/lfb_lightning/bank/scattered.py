"""Rows of several files, read straight into the places where they are wanted.

The kernel copies each row from the page cache to its slot: one system call a file and one copy in all, where reading a
block and picking rows out of it makes three. What can be worked out for all files at once is.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from lfb_lightning.errors import InputError

_MOST_BUFFERS = 1024  # IOV_MAX of Linux and macOS
_ZERO = np.zeros(1, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class RowRange:
    """`count` consecutive rows of a file, the first at byte `begin`."""

    path: Path
    begin: int
    count: int


def read_scattered(
    ranges: Sequence[RowRange], rows: Int[np.ndarray, " M"], places: Int[np.ndarray, " M"], out: Shaped[Tensor, "S C"]
) -> None:
    """Read row `rows[i]`, counted through the ranges one after the other, into `out[places[i]]`.

    `rows` and `places` ascend and `out` is contiguous; its other rows stay as they are. Raises InputError when a file is
    gone or has become shorter.
    """
    if len(rows) == 0:
        return
    row_bytes = out.shape[1] * out.itemsize
    target = memoryview(out.view(torch.uint8).numpy().reshape(-1).data)
    bounds = np.concatenate([_ZERO, np.cumsum([part.count for part in ranges])])
    broken = (rows[1:] - rows[:-1] != 1) | (places[1:] - places[:-1] != 1)
    if len(ranges) > 1:
        first_of_range = rows.searchsorted(bounds[1:-1])
        broken[first_of_range[(first_of_range > 0) & (first_of_range < len(rows))] - 1] = True
    starts = np.concatenate([_ZERO, np.flatnonzero(broken) + 1])  # of runs that are contiguous both here and there
    lengths = np.concatenate([starts[1:], [len(rows)]]) - starts
    run_rows, begins = rows[starts], places[starts] * row_bytes
    run_of_range = run_rows.searchsorted(bounds).tolist()
    gaps = run_rows[1:] - run_rows[:-1] - lengths[:-1]  # unwanted rows before the next run, if it is of the same range
    runs = list(
        zip(begins.tolist(), (begins + lengths * row_bytes).tolist(), [*(gaps * row_bytes).tolist(), 0], strict=True)
    )
    for part, first_row, low, high in zip(ranges, bounds.tolist(), run_of_range, run_of_range[1:], strict=False):
        if low == high:
            continue
        buffers = []
        for begin, end, gap in runs[low : high - 1]:
            buffers.append(target[begin:end])
            if gap:
                buffers.append(memoryview(bytearray(gap)))
        begin, end, _ = runs[high - 1]
        buffers.append(target[begin:end])
        last_row = int(run_rows[high - 1] + lengths[high - 1])
        first_wanted = int(run_rows[low])
        offset = part.begin + (first_wanted - first_row) * row_bytes
        _read_into(part.path, offset, buffers, (last_row - first_wanted) * row_bytes)


def _read_into(path: Path, offset: int, buffers: list[memoryview], wanted: int) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise InputError(f"bank file {path}: cannot be opened ({error.strerror}); run lfb-bank verify.") from error
    try:
        read = 0
        for start in range(0, len(buffers), _MOST_BUFFERS):
            read += os.preadv(descriptor, buffers[start : start + _MOST_BUFFERS], offset + read)
    finally:
        os.close(descriptor)
    if read != wanted:
        raise InputError(f"bank file {path}: shorter than its header says; delete it and run lfb-extract again.")
