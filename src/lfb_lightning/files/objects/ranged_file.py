"""An object of a store as a file that is open for reading: blocks of it are requested as they are needed, and kept.

Reading on makes the requests larger. The last blocks are kept in memory, more of them in a cache on the local disk, under a
name that stands for the object's version: bytes of two versions are never mixed.
"""

from __future__ import annotations

import io
import os
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.block_cache import BLOCK, BlockCache
from lfb_lightning.files.objects.failures import ChangedError
from lfb_lightning.files.objects.local_cache import cache_folder, cache_limit, cache_name
from lfb_lightning.files.objects.store import ObjectStore, Stated
from lfb_lightning.files.objects.url import Url

FETCH = "LFB_VIDEO_FETCH"
_MOST_AHEAD = 16  # blocks of one request
_IN_MEMORY = 64  # blocks of all open objects of a process: 16 MiB
_AT_ONCE = 8  # requests for a whole object
_REMEMBERED = 4096  # objects, whose versions a process knows


class _Remembered:
    """What a process keeps of objects; threads may share it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.versions: OrderedDict[str, Stated] = OrderedDict()
        self.blocks: OrderedDict[tuple[str, int], memoryview] = OrderedDict()
        self.whole: set[str] = set()  # cache names of objects that lie in the local cache


_kept = _Remembered()


def stated_of(url: Url, what: str) -> Stated | None:
    """Give the size and version of an object, asked for once per process; None where there is none.

    Args:
        url: The object.
        what: What it is, for messages.
    """
    with _kept.lock:
        known = _kept.versions.get(url.text)
    if known is None:
        root, name = url.object()
        known = _store(root, what.partition(" ")[0]).stated(name, what=what)
        if known is not None:
            with _kept.lock:
                _kept.versions[url.text] = known
                while len(_kept.versions) > _REMEMBERED:
                    _kept.versions.popitem(last=False)
    return known


def forget(url: Url) -> None:
    """Ask for an object's version again when it is next opened."""
    with _kept.lock:
        _kept.versions.pop(url.text, None)


class RangedFile(io.RawIOBase):
    """An object, open for reading; read-only and seekable.

    Args:
        url: The object.
        what: What it is, for messages, such as "video s3://bucket/v.mp4".

    Raises:
        InputError: There is no such object, or it cannot be read.
    """

    def __init__(self, url: Url, what: str) -> None:
        stated = stated_of(url, what)
        if stated is None:
            raise InputError(f"{what}: no such object.")
        self.name = url.name  # FFmpeg looks at its ending
        self.size = stated.size
        self._version = stated.version
        self._url, self._what = url, what
        root, self._object = url.object()
        self._objects = _store(root, what.partition(" ")[0])
        self._cache = BlockCache(cache_folder("videos"), cache_limit())
        self._cached_as = cache_name(f"{url.text} {stated.size} {stated.version}")
        self._at, self._ahead, self._next = 0, 1, -1
        if os.environ.get(FETCH, "ranges") != "ranges":
            self._fetch_whole()

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be read anywhere."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a place."""
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence])
        return self._at

    def tell(self) -> int:
        """Give the place."""
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes; fewer only at the end.

        Raises:
            InputError: They cannot be read, or the object has been changed since it was opened.
        """
        rest = max(0, self.size - self._at)
        end = self._at + (rest if size is None or size < 0 else min(size, rest))
        parts = []
        while self._at < end:
            number = self._at // BLOCK
            begin = self._at - number * BLOCK
            part = self._block(number)[begin : begin + end - self._at]
            parts.append(part)
            self._at += len(part)
        return b"".join(parts)

    def _block(self, number: int) -> memoryview:
        key = (self._cached_as, number)
        with _kept.lock:
            found = _kept.blocks.get(key)
            if found is not None:
                _kept.blocks.move_to_end(key)
        if found is None:
            begin, end = self._bounds(number, number + 1)
            cached = self._cache.get(self._cached_as, begin, end) if self._cache.limit else None
            found = self._fetch_on(number) if cached is None else cached.data
            if cached is not None:
                self._keep(number, found)
        self._next = max(self._next, number + 1) if number + 1 >= self._next else number + 1
        return found

    def _fetch_on(self, number: int) -> memoryview:
        """Request a block, and those behind it where reading went on up to here; returns the first."""
        self._ahead = min(2 * self._ahead, _MOST_AHEAD) if number == self._next else 1
        content = self._fetch(number, number + self._ahead)
        for place in range(0, len(content), BLOCK):
            self._keep(number + place // BLOCK, content[place : place + BLOCK])
        self._next = number + self._ahead
        return content[:BLOCK]

    def _fetch(self, first: int, last: int) -> memoryview:
        begin, end = self._bounds(first, last)
        try:
            content = self._objects.range(
                self._object, begin, end, least=end - begin, version=self._version, what=self._what
            )
        except ChangedError as error:
            forget(self._url)
            raise InputError(str(error)) from error
        self._cache.put(self._cached_as, begin, content)
        return content

    def _fetch_whole(self) -> None:
        """Fill the local cache with the object, once per process."""
        if os.environ[FETCH] != "whole":
            raise InputError(f"{FETCH} is {os.environ[FETCH]!r:.50}, expected ranges or whole.")
        if self.size > self._cache.limit // 2:
            raise InputError(
                f"{self._what}: {FETCH}=whole needs a cache of twice its {self.size / 1e9:.2f} GB; raise LFB_CACHE_GB, or "
                f"set {FETCH}=ranges."
            )
        if self._cached_as in _kept.whole:
            return
        blocks = -(-self.size // BLOCK)
        firsts = [
            first
            for first in range(0, blocks, _MOST_AHEAD)
            if self._cache.get(self._cached_as, *self._bounds(first, first + _MOST_AHEAD)) is None
        ]
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="video-reader") as threads:
            for _ in threads.map(lambda first: self._fetch(first, first + _MOST_AHEAD), firsts):
                pass
        _kept.whole.add(self._cached_as)

    def _bounds(self, first: int, last: int) -> tuple[int, int]:
        return first * BLOCK, min(last * BLOCK, self.size)

    def _keep(self, number: int, content: memoryview) -> None:
        with _kept.lock:
            _kept.blocks[self._cached_as, number] = content
            while len(_kept.blocks) > _IN_MEMORY:
                _kept.blocks.popitem(last=False)


@lru_cache(maxsize=64)
def _store(root: str, what: str) -> ObjectStore:
    return ObjectStore(root, what=what)
