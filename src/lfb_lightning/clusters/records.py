"""What travels between tasks, actors and the driver: tables of one row, whose large part is one buffer that is not copied.

A row is a batch of clips of one video, the features of such a batch, or the reason why a video breaks off.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

_TENSORS = ("clips", "rois", "features")


@dataclass(frozen=True, slots=True)
class Record:
    """One row.

    Args:
        video_id: The video.
        number: Number of the batch in its video, from 0.
        tensors: What there is of it: `clips`, `rois`, `features`.
        failure: Why the video breaks off here; empty: it does not.
        is_fault: Whether that is a fault of the program and not of the video: `failure` is a traceback then.
    """

    video_id: str
    number: int
    tensors: dict[str, Tensor]
    failure: str = ""
    is_fault: bool = False


def to_table(record: Record) -> Any:
    """Make the `pyarrow.Table` of a record; its large buffers are the tensors' own memory."""
    import pyarrow as pa

    header = {name: [str(one.numpy().dtype), list(one.shape)] for name, one in record.tensors.items()}
    columns = {
        "video_id": pa.array([record.video_id], pa.string()),
        "number": pa.array([record.number], pa.int64()),
        "failure": pa.array([record.failure], pa.string()),
        "is_fault": pa.array([record.is_fault], pa.bool_()),
        "header": pa.array([json.dumps(header)], pa.string()),
    }
    for name in _TENSORS:  # all of them in each table: tables of one schema
        values = np.ascontiguousarray(record.tensors[name].numpy()) if name in record.tensors else np.empty(0)
        ends = pa.py_buffer(np.array([0, values.nbytes], dtype=np.int64))
        data = pa.py_buffer(values.reshape(-1).view(np.uint8))
        columns[name] = pa.Array.from_buffers(pa.large_binary(), 1, [None, ends, data])
    return pa.table(columns)


def from_table(table: Any) -> Record | None:
    """Read the record of a table; None of a table without rows. Tensors are views of its memory, not to be written to."""
    if table.num_rows == 0:
        return None
    assert table.num_rows == 1, "a row is a block of its own"
    row = {name: table.column(name)[0] for name in table.column_names if name not in _TENSORS}
    tensors = {}
    for name, (dtype, shape) in json.loads(row["header"].as_py()).items():
        values = _content(table.column(name), np.dtype(dtype)).reshape(shape)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that it cannot be written to
            tensors[name] = torch.from_numpy(values)
    return Record(
        row["video_id"].as_py(), row["number"].as_py(), tensors, row["failure"].as_py(), row["is_fault"].as_py()
    )


def _content(column: Any, dtype: np.dtype[Any]) -> np.ndarray:
    """View the bytes of a column's only value, of which `pyarrow` itself would give a copy."""
    (array,) = (chunk for chunk in column.chunks if len(chunk))
    _, ends, data = array.buffers()
    begin, end = np.frombuffer(ends, dtype=np.int64)[array.offset : array.offset + 2].tolist()
    if begin == end:
        return np.empty(0, dtype)
    return np.frombuffer(data, dtype=dtype, count=(end - begin) // dtype.itemsize, offset=begin)
