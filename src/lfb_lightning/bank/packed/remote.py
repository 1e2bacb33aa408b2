"""The files of a packed bank in an object store.

A window is one range request, those of a batch are under way at once, and what was read is kept in a bounded local cache.
Nothing in a bank names a place.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from lfb_lightning.bank.packed.form import index_name
from lfb_lightning.bank.packed.store import ByteRange
from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import write_durably
from lfb_lightning.files.objects.block_cache import BLOCK, BlockCache
from lfb_lightning.files.objects.local_cache import cache_folder, cache_limit, cache_name
from lfb_lightning.files.objects.store import ObjectStore
from lfb_lightning.files.objects.url import Url

_AT_ONCE = 32  # requests under way
MOST_MANIFEST = 1 << 30  # bytes: a line for each video that failed
_AT_A_TIME = 1 << 20  # bytes of an index that are in memory while it is checked
_FETCHED = 0  # time of change of an index that nobody has written to since it was fetched


class RemoteStore:
    """A prefix of an object store that holds a packed bank.

    Args:
        url: The prefix.

    Raises:
        InputError: obstore is not installed, or does not take the URL.
    """

    def __init__(self, url: Url) -> None:
        self.folder: Path | Url = url
        self._index_folder = cache_folder("banks") / cache_name(url.text)
        self._cache = BlockCache(self._index_folder, cache_limit())
        self._objects = ObjectStore(url.text)
        self._threads: ThreadPoolExecutor | None = None
        self._objects.connect()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what does not travel to another process."""
        return {**self.__dict__, "_threads": None}

    def read(self, ranges: Sequence[ByteRange]) -> Iterator[UInt8[np.ndarray, " n"]]:
        """See `Store`; a range is one request, of whole blocks where they are kept."""
        self._objects.connect()
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="bank-reader")
        yield from self._threads.map(self._one, ranges)

    def index(self, name: str, size: int) -> Path:
        """See `Store`; it is fetched once per machine, and again where the file has changed since."""
        path = self._index_folder / name
        if not _is_whole(path, size):
            content = self.object(name, size)
            if name != index_name(hashlib.sha256(content).hexdigest()):
                raise InputError(f"bank index {self.folder / name}: has changed since it was written; upload it again.")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InputError(f"{path.parent}: cannot be made ({error.strerror}); set LFB_CACHE_DIR.") from error
            write_durably(path, content)
        with suppress(OSError):  # another user's, who shares the cache: each process hashes it
            os.utime(path, ns=(_FETCHED, _FETCHED))
        return path

    def names(self) -> dict[str, int]:
        """See `Store`."""
        return self._objects.names()

    def object(self, name: str, most: int = MOST_MANIFEST) -> bytes:
        """Read a whole object of at most so many bytes; raises InputError where it cannot be read, or is larger."""
        absent = (
            f"bank {self.folder}: has no {name}; expected a packed bank, as `lfb-bank pack folder=<a bank> to={self.folder}` "
            "writes it."
        )
        return self._objects.object(name, most, what=f"bank file {self.folder / name}", absent=absent)

    def _one(self, wanted: ByteRange) -> UInt8[np.ndarray, " n"]:
        name, begin, end, _ = wanted
        if begin == end:
            return np.zeros(0, dtype=np.uint8)
        if not self._cache.limit:
            return np.frombuffer(self._fetch(wanted, begin, end), dtype=np.uint8)
        found = self._cache.get(name, begin, end)
        if found is None:
            first = begin // BLOCK * BLOCK
            content = self._fetch(wanted, first, -(-end // BLOCK) * BLOCK)
            self._cache.put(name, first, content)
            found = np.frombuffer(content, dtype=np.uint8)[begin - first : end - first]
        return found

    def _fetch(self, wanted: ByteRange, begin: int, end: int) -> memoryview:
        """Request bytes; fewer than up to `end` come only where the object ends."""
        what = f"bank shard {self.folder / wanted.name}, video {wanted.video_id}"
        return self._objects.range(wanted.name, begin, end, least=wanted.end - begin, what=what)


def _is_whole(path: Path, size: int) -> bool:
    """Say whether an index lies in the cache as it was fetched; its bytes are read only if it was written to since."""
    try:
        found = path.stat()
        if found.st_size != size or found.st_mtime_ns == _FETCHED:
            return found.st_size == size
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while part := file.read(_AT_A_TIME):
                digest.update(part)
    except OSError:  # not there, or not readable: it is fetched, and writing it says what is wrong
        return False
    return path.name == index_name(digest.hexdigest())
