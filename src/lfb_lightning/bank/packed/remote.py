"""The files of a packed bank in an object store, read with obstore (an extra): `pip install "lfb-lightning[cloud]"`.

A window is one range request, those of a batch are under way at once, and what was read is kept in a bounded local cache.
Keys come from the environment, as every tool of that store takes them; nothing in a bank names a place.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from lfb_lightning.bank.packed.block_cache import BLOCK, BlockCache
from lfb_lightning.bank.packed.store import ByteRange
from lfb_lightning.bank.url import Url
from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import write_durably

_AT_ONCE = 32  # requests under way
_TRIES = 3  # of a request whose answer breaks off; obstore itself repeats those that get none
_RETRIES = {"max_retries": 3, "retry_timeout": timedelta(seconds=60)}
_TIMEOUTS = {"timeout": "30s", "connect_timeout": "5s"}
_DEFAULT_CACHE_GB = 16.0
_MOST_LISTED = 1_000_000
_MOST_MANIFEST = 1 << 30  # bytes: a line for each video that failed
_used_in: int | None = None  # the process whose threads obstore runs in; a forked one does not have them


def cache_of(url: Url) -> tuple[Path, int]:
    """Give the folder of the cache of a bank, and how many bytes of its rows it may keep.

    They are `LFB_CACHE_DIR` (usually ~/.cache/lfb-lightning) and `LFB_CACHE_GB` (16) of the environment: properties of a
    machine, not of a run.

    Raises:
        InputError: `LFB_CACHE_GB` is no size.
    """
    text = os.environ.get("LFB_CACHE_GB", str(_DEFAULT_CACHE_GB))
    try:
        limit = float(text)
        if not 0 <= limit < 1e6:
            raise ValueError
    except ValueError as error:
        raise InputError(f"LFB_CACHE_GB is {text!r:.50}, expected gigabytes such as 100, or 0 for no cache.") from error
    base = os.environ.get("LFB_CACHE_DIR") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "lfb-lightning"
    name = hashlib.sha256(url.text.encode()).hexdigest()[:16]
    return Path(base).expanduser() / "banks" / name, int(limit * 1e9)


class RemoteStore:
    """A prefix of an object store that holds a packed bank.

    Args:
        url: The prefix.

    Raises:
        InputError: obstore is not installed, or does not take the URL.
    """

    def __init__(self, url: Url) -> None:
        self.folder: Path | Url = url
        self._url = url
        self._index_folder, limit = cache_of(url)
        self._cache = BlockCache(self._index_folder, limit)
        self._objects: Any = None
        self._threads: ThreadPoolExecutor | None = None
        self._connect()

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what does not travel to another process."""
        return {**self.__dict__, "_objects": None, "_threads": None}

    def read(self, ranges: Sequence[ByteRange]) -> Iterator[UInt8[np.ndarray, " n"]]:
        """See `Store`; a range is one request, of whole blocks where they are kept."""
        self._connect()
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="bank-reader")
        yield from self._threads.map(self._one, ranges)

    def index(self, name: str, size: int) -> Path:
        """See `Store`; it is fetched once per machine."""
        path = self._index_folder / name
        if not path.is_file():
            content = self.object(name, size)
            if not hashlib.sha256(content).hexdigest().startswith(name.split("-")[-1].split(".")[0]):
                raise InputError(f"bank index {self.folder / name}: has changed since it was written; upload it again.")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise InputError(f"{path.parent}: cannot be made ({error.strerror}); set LFB_CACHE_DIR.") from error
            write_durably(path, content)
        return path

    def names(self) -> dict[str, int]:
        """See `Store`."""
        obstore = self._connect()
        found: dict[str, int] = {}
        try:
            for part in obstore.list(self._objects):
                found |= {str(entry["path"]): int(entry["size"]) for entry in part}
                if len(found) > _MOST_LISTED:
                    break
        except _errors(obstore) as error:
            raise self._failure(str(self.folder), error) from error
        return found

    def object(self, name: str, most: int = _MOST_MANIFEST) -> bytes:
        """Read a whole object.

        Args:
            name: Of the object.
            most: Bytes that it may have; what is larger is not fetched.

        Raises:
            InputError: It cannot be read, or is larger.
        """
        obstore = self._connect()
        for left in reversed(range(_TRIES)):
            try:
                answer = obstore.get(self._objects, name)
                size = int(answer.meta["size"])
                if size <= most:
                    return bytes(answer.bytes())
                break
            except FileNotFoundError as error:
                raise InputError(
                    f"bank {self.folder}: has no {name}; expected a packed bank (lfb-bank pack), uploaded whole."
                ) from error
            except _errors(obstore) as error:
                if not left:
                    raise self._failure(str(self.folder / name), error) from error
        raise InputError(
            f"bank file {self.folder / name}: has {size:,} bytes, expected {most:,} at most; upload it again."
        )

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
        obstore = self._connect()
        place, why = f"bank shard {self.folder / wanted.name}", ""
        for left in reversed(range(_TRIES)):
            try:
                content = memoryview(obstore.get_range(self._objects, wanted.name, start=begin, end=end))
            except _errors(obstore) as error:
                if not left or isinstance(error, FileNotFoundError):
                    raise self._failure(f"{place}, video {wanted.video_id}", error) from error
                continue
            if wanted.end - begin <= len(content) <= end - begin:
                return content
            why = f"{len(content)} bytes came, expected {wanted.end - begin} at least"
        raise self._failure(f"{place}, video {wanted.video_id}", ValueError(why))

    def _connect(self) -> Any:
        """Import obstore, and open the store in this process."""
        global _used_in
        try:
            obstore: Any = import_module("obstore")
            from_url: Any = import_module("obstore.store").from_url
        except ImportError as error:
            raise InputError(
                f"bank {self.folder}: an object store is read with obstore, which is not installed; "
                'pip install "lfb-lightning[cloud]".'
            ) from error
        if _used_in not in (None, os.getpid()):
            raise InputError(
                f"bank {self.folder}: an object store cannot be read in a process that was forked from one that has read it; "
                "start the loader's workers with multiprocessing_context=spawn."
            )
        if self._objects is None:
            allowed = os.environ.get("AWS_ALLOW_HTTP", "").lower() in ("1", "true")  # options hide the environment's
            options = {"retry_config": _RETRIES, "client_options": {**_TIMEOUTS, "allow_http": allowed}}
            remote: dict[str, Any] = {} if self._url.text.startswith("file:") else options
            try:
                self._objects = from_url(self._url.text, **remote)
            except _errors(obstore) as error:
                raise self._failure(f"bank {self.folder}", error) from error
            _used_in = os.getpid()
        return obstore

    def _failure(self, what: str, error: Exception) -> InputError:
        reason = " ".join(str(error).split("Debug source")[0].split())[:300]
        return InputError(
            f"{what}: cannot be read ({reason}); check the connection and the keys, then run the command again."
        )


def _errors(obstore: Any) -> tuple[type[Exception], ...]:
    return (obstore.exceptions.BaseError, OSError, ValueError)
