"""The bytes of a packed bank: a shard, its footer, and the index, which is the shards' footers put together.

All numbers are little-endian. docs/packed_banks.md describes them for other readers.
"""

from __future__ import annotations

import math
import re
import reprlib
import struct
from dataclasses import dataclass
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from lfb_lightning.bank.precision import stored_dtype
from lfb_lightning.files.safetensors_header import TensorSpan

VERSION = 1
SHARD_MAGIC, INDEX_MAGIC = b"LFBSHARD", b"LFBINDEX"
ALIGNMENT = 64  # of a video's first byte in its shard: whole cache lines, and rows of aligned floats
SHARD_HEAD = struct.Struct("<8sII48x")  # magic, version, the shard's number
SHARD_TAIL = struct.Struct("<8sIIQQ32s")  # magic, version, number, videos, bytes of their ids, SHA-256 of the footer
# Magic, version, shards, videos, bytes of their ids, CRC-32 of the shards' table.
INDEX_HEAD = struct.Struct("<8sIIQQI28x")
SHARD = np.dtype([("size", "<u8"), ("digest", "u1", 8), ("footer", "u1", 32)])
ENTRY = np.dtype(
    [
        ("id_begin", "<u8"),  # of the id, in the text of all ids
        ("begin", "<u8"),  # of the video's bank file, in its shard
        ("size", "<u8"),  # of that file in bytes
        ("id_bytes", "<u4"),
        ("shard", "<u4"),
        ("rows", "<u4"),
        ("data", "<u4"),  # of the file's first tensor, in the file: what is before it is the header
        ("columns_crc", "<u4"),  # CRC-32 of the columns that a reader keeps: scales of int8, scores, timestamps
        ("crc", "<u4"),  # CRC-32 of the entry with zero in this place, followed by the id
        ("checksum", "u1", 32),  # SHA-256 of the tensors, as in videos.json
    ]
)
_ENTRY = struct.Struct("<QQQIIIIII32s")
_CRC = ENTRY.fields["crc"][1] if ENTRY.fields else 0
_SAFETENSORS = {"fp32": "F32", "fp16": "F16", "bf16": "BF16", "int8": "I8"}
assert SHARD_HEAD.size == SHARD_TAIL.size == INDEX_HEAD.size == ALIGNMENT
assert _ENTRY.size == ENTRY.itemsize


class Entry(NamedTuple):
    """Where a video lies; the fields of `ENTRY`."""

    id_begin: int
    begin: int
    size: int
    id_bytes: int
    shard: int
    rows: int
    data: int
    columns_crc: int
    crc: int
    checksum: bytes

    def pack(self, id_text: bytes) -> bytes:
        """Give the entry's bytes, with the checksum of entry and id in its place."""
        return _ENTRY.pack(*self._replace(crc=crc32(id_text, crc32(_ENTRY.pack(*self._replace(crc=0))))))

    @classmethod
    def unpack(cls, content: bytes) -> Entry:
        """Take an entry's fields out of its bytes; whether they are as they were written, `is_whole` says."""
        return cls(*_ENTRY.unpack(content))

    def is_whole(self, id_text: bytes) -> bool:
        """Say whether entry and id are as they were written."""
        return crc32(id_text, crc32(_ENTRY.pack(*self._replace(crc=0)))) == self.crc


def aligned(place: int) -> int:
    """Give the first place from `place` on at which a video may begin."""
    return -(-place // ALIGNMENT) * ALIGNMENT


def shard_name(number: int, digest: bytes) -> str:
    """Give the name of a shard's file; `digest` are the eight bytes that stand for what is in it."""
    return f"{number:05d}-{digest.hex()}.shard"


def index_name(sha256: str) -> str:
    """Give the name of the file of an index; shards and indexes of other content have other names."""
    return f"index-{sha256[:16]}.idx"


@dataclass(frozen=True, slots=True)
class PackedIndex:
    """The index of a packed bank, by which its file is found and known.

    Args:
        sha256: Of the file.
        size: Of it in bytes.
    """

    sha256: str
    size: int

    @classmethod
    def parse(cls, content: Any) -> PackedIndex:
        """Read it from a manifest; raises ValueError for what is none."""
        found = content if isinstance(content, dict) and content.keys() == {"sha256", "size"} else {}
        sha256, size = found.get("sha256"), found.get("size")
        if not isinstance(sha256, str) or not re.fullmatch("[0-9a-f]{64}", sha256) or type(size) is not int:
            raise ValueError(f"packed is {reprlib.repr(content)}, expected the index's sha256 and size")
        return cls(sha256, size)


class VideoForm(NamedTuple):
    """What is the same of all videos of a packed bank, and says where the tensors of a bank file lie.

    Args:
        channels: Of a feature.
        precision: In which features are stored.
    """

    channels: int
    precision: str

    @property
    def row_bytes(self) -> int:
        """Bytes of one stored feature."""
        return self.channels * stored_dtype(self.precision).itemsize

    def spans(self, rows: int, begin: int) -> dict[str, TensorSpan]:
        """Say where the tensors of a video lie: the order in which safetensors writes them, by size of number and name.

        Args:
            rows: Of the video.
            begin: Where the first tensor begins.
        """
        sums, column = ("F64", (self.channels,)), ("F32", (rows,))
        features = (_SAFETENSORS[self.precision], (rows, self.channels))
        order = {"channel_square_sum": sums, "channel_sum": sums, "boxes": ("F32", (rows, 4))}
        if self.precision == "fp32":
            order["features"] = features
        if self.precision == "int8":
            order["scales"] = column
        order |= {"scores": column, "timestamps": ("I32", (rows,))}
        order.setdefault("features", features)
        spans = {}
        for name, (dtype, shape) in order.items():
            size = rows * self.row_bytes if name == "features" else {"F64": 8}.get(dtype, 4) * math.prod(shape)
            spans[name] = TensorSpan(dtype, shape, begin, begin + size)
            begin += size
        return spans

    def columns(self, spans: dict[str, TensorSpan]) -> tuple[int, int]:
        """Say from where to where the columns lie that a reader keeps: scales of int8, scores and timestamps."""
        return spans["scales" if self.precision == "int8" else "scores"].begin, spans["timestamps"].end
