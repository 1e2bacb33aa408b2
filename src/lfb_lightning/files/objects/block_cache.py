"""A bounded cache, on a local disk, of blocks of files that are far away and never change; every block has a checksum.

    <folder>/<name>          the blocks at their places, the rest a hole
    <folder>/<name>.blocks   a uint64 per block: its bytes, shifted by 32, and their CRC-32; 0: not here

Any number of processes may use one folder. A block of which something is missing or has changed is not there.
"""

from __future__ import annotations

import os
from contextlib import suppress
from io import FileIO
from pathlib import Path
from zlib import crc32

import numpy as np
from jaxtyping import UInt8

BLOCK = 1 << 18
_SUFFIX = ".blocks"
_MARK = 8


class BlockCache:
    """Keeps blocks of files; when there are too many, those of the files that were added to longest ago go.

    Args:
        folder: Where; made when the first block comes.
        limit: Bytes that it may take; 0: nothing is kept.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self._folder = folder
        self.limit = limit
        self._added: int | None = None  # since the folder was last looked through; None: never

    def get(self, name: str, begin: int, end: int) -> UInt8[np.ndarray, " n"] | None:
        """Give bytes of a file; None where a block of them is missing or has changed."""
        first, last = begin // BLOCK, -(-end // BLOCK)
        try:
            with FileIO(self._folder / f"{name}{_SUFFIX}") as file:
                file.seek(first * _MARK)
                marks = np.frombuffer(file.read((last - first) * _MARK) or b"", dtype="<u8").tolist()
            with FileIO(self._folder / name) as file:
                file.seek(first * BLOCK)
                content = file.read((last - first) * BLOCK) or b""
        except (OSError, ValueError):
            return None
        if len(marks) != last - first or len(content) < end - first * BLOCK:
            return None
        for number, mark in enumerate(marks):
            block = memoryview(content)[number * BLOCK : number * BLOCK + (mark >> 32)]
            if not 0 < mark >> 32 <= BLOCK or crc32(block) != mark & 0xFFFFFFFF:
                return None
            if number * BLOCK + len(block) < min(end - first * BLOCK, (number + 1) * BLOCK):
                return None
        return np.frombuffer(content, dtype=np.uint8)[begin - first * BLOCK : end - first * BLOCK]

    def put(self, name: str, begin: int, content: memoryview) -> None:
        """Keep bytes of a file; a full disk only means that they are fetched again.

        Args:
            name: Of the file.
            begin: Of a block.
            content: From there on; up to the end of a block, or of the file.
        """
        assert begin % BLOCK == 0
        if not self.limit:
            return
        blocks = [content[place : place + BLOCK] for place in range(0, len(content), BLOCK)]
        marks = np.array([len(block) << 32 | crc32(block) for block in blocks], dtype="<u8")
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._make_room(len(content))
            _write_at(self._folder / name, begin, content)
            _write_at(self._folder / f"{name}{_SUFFIX}", begin // BLOCK * _MARK, marks.data)

    def _make_room(self, size: int) -> None:
        """Remove files until the cache and `size` bytes are within the limit; looks only when much has been added."""
        if self._added is not None and self._added + size < self.limit // 16:
            self._added += size
            return
        self._added = size
        files = []
        for path in self._folder.glob(f"*{_SUFFIX}"):
            with suppress(OSError):  # another process has removed it
                data = path.with_name(path.name.removesuffix(_SUFFIX)).stat()
                files.append((data.st_mtime_ns, path, _taken(data)))
        taken = sum(entry[2] for entry in files) + size + self.limit // 16
        for _, path, gone in sorted(files):
            if taken <= self.limit:
                break
            path.unlink(missing_ok=True)  # first, so that nothing is found in what replaces the other
            path.with_name(path.name.removesuffix(_SUFFIX)).unlink(missing_ok=True)
            taken -= gone


def _taken(status: os.stat_result) -> int:
    blocks = getattr(status, "st_blocks", None)
    return status.st_size if blocks is None else 512 * int(blocks)


def _write_at(path: Path, place: int, content: memoryview) -> None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
    with FileIO(descriptor, "r+") as file:
        file.seek(place)
        rest = content.cast("B")
        while rest:
            rest = rest[file.write(rest) :]
