"""A prefix of an object store, opened with obstore (an extra): `pip install "lfb-lightning[cloud]"`.

Keys come from the environment, as every tool of that store takes them. What goes to another process is the URL, not the
connection. Requests that get no answer are repeated by obstore, those whose answer breaks off are repeated here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.failures import ChangedError, errors_of, failure, is_without_bucket

T = TypeVar("T")
TRIES = 3  # of a request whose answer breaks off; obstore itself repeats those that get none
RETRIES: dict[str, Any] = {"max_retries": 3, "retry_timeout": timedelta(seconds=60)}
# However long a slow line takes for a whole answer; a part of an upload has a minute, as has each further piece of an answer.
_TIMEOUTS = {"timeout": "3600s", "connect_timeout": "5s", "read_timeout": "60s"}
_ALLOW_HTTP = {"s3": "AWS_ALLOW_HTTP", "gs": "GOOGLE_ALLOW_HTTP", "az": "AZURE_ALLOW_HTTP"}
_MOST_LISTED = 1_000_000
_LEAST_PART, _MOST_PARTS = 8 << 20, 9_000  # of an object that is written in parts; stores take 10,000
_used_in: int | None = None  # the process whose threads obstore runs in; a forked one does not have them
_is_for_workers = False  # whether worker processes will read objects


def note_workers_need() -> None:
    """Note that worker processes of this one will read objects, before it reads some itself."""
    global _is_for_workers
    _is_for_workers = True


def worker_start_method() -> str | None:
    """Say how worker processes must start: `spawn` where they read objects, None for the usual way."""
    return "spawn" if _is_for_workers else None


class Stated(NamedTuple):
    """What a store says of an object.

    Args:
        size: Its bytes.
        version: Changes when the object does: its ETag, else the time at which it was written.
    """

    size: int
    version: str


class ObjectStore:
    """A prefix of an object store.

    Args:
        url: The prefix. Nothing is asked of the store before the first request.
        what: What lies there, for messages.
        makes: Whether the folder of a file:// URL is made.
    """

    def __init__(self, url: str, *, what: str = "bank", makes: bool = False) -> None:
        self.url = url
        self._what = what
        self._makes = makes
        self._objects: Any = None
        self._bucket_is_there = False

    def __getstate__(self) -> dict[str, Any]:
        """Leave out what does not travel to another process."""
        return {**self.__dict__, "_objects": None}

    def connect(self) -> Any:
        """Import obstore and open the store in this process; returns obstore.

        Raises:
            InputError: obstore is not installed, does not take the URL, or was used before this process was forked.
        """
        global _used_in
        try:
            obstore: Any = import_module("obstore")
            from_url: Any = import_module("obstore.store").from_url
        except ImportError as error:
            raise InputError(
                f"{self._what} {self.url}: an object store is read with obstore, which is not installed; "
                'pip install "lfb-lightning[cloud]".'
            ) from error
        if _used_in not in (None, os.getpid()):
            raise InputError(
                f"{self._what} {self.url}: an object store cannot be used in a process that was forked from one that has "
                "used it; start the loader's workers with multiprocessing_context=spawn."
            )
        if self._objects is None:
            # Options hide what the environment says of them.
            allowed = os.environ.get(_ALLOW_HTTP.get(self.url.partition(":")[0], ""), "").lower() in ("1", "true")
            options: dict[str, Any] = {
                "retry_config": RETRIES,
                "client_options": {**_TIMEOUTS, "allow_http": allowed},
            }
            if self.url.startswith("file:"):
                options = {"mkdir": True} if self._makes else {}
            try:
                self._objects = from_url(self.url, **options)
            except errors_of(obstore) as error:
                raise failure(f"{self._what} {self.url}", error, done="opened") from error
            _used_in = os.getpid()
        return obstore

    def range(
        self, name: str, begin: int, end: int, *, least: int, version: str | None = None, what: str
    ) -> memoryview:
        """Request bytes of an object.

        Args:
            name: Of the object.
            begin: The first byte.
            end: The byte after the last one; fewer come where the object ends before.
            least: How many must come.
            version: Which version's, by `Stated`; None: of any.
            what: What they are, for messages.

        Raises:
            InputError: They do not come, or the object is another one by now.
        """
        obstore = self.connect()

        def once() -> memoryview:
            if version is None:
                content = memoryview(obstore.get_range(self._objects, name, start=begin, end=end))
            else:
                condition = {"if_match": version} if version.startswith(('"', "W/")) else {}
                answer = obstore.get(self._objects, name, options={"range": (begin, end), **condition})
                if _stated(answer.meta).version != version:
                    raise ChangedError(_changed(what))
                content = memoryview(answer.bytes())
            if not least <= len(content) <= end - begin:
                raise ValueError(f"{len(content)} bytes came, expected {least} at least")
            return content

        return self._tried(once, what)

    def object(self, name: str, most: int, *, what: str, absent: str) -> bytes:
        """Read a whole object.

        Args:
            name: Of the object.
            most: Bytes that it may have; what is larger is not fetched.
            what: What it is, for messages.
            absent: The whole message where there is none.

        Raises:
            InputError: It cannot be read, or is larger.
        """
        obstore = self.connect()

        def once() -> bytes:
            answer = obstore.get(self._objects, name)
            size = int(answer.meta["size"])
            if size > most:
                raise InputError(f"{what}: has {size:,} bytes, expected {most:,} at most; upload it again.")
            return bytes(answer.bytes())

        return self._tried(once, what, absent=absent)

    def stated(self, name: str, *, what: str) -> Stated | None:
        """Ask for an object's size and version; None where there is none. Raises InputError where there is no bucket."""
        obstore = self.connect()

        def once() -> Stated | None:
            try:
                return _stated(obstore.head(self._objects, name))
            except FileNotFoundError:
                if not self._bucket_is_there:  # the answer to such a question has no text that says what is not there
                    self._refuse_no_bucket(obstore, name, what)
                return None

        return self._tried(once, what)

    def _refuse_no_bucket(self, obstore: Any, name: str, what: str) -> None:
        try:
            obstore.get_range(self._objects, name, start=0, end=1)
        except FileNotFoundError as error:
            if is_without_bucket(error):
                raise failure(what, error) from error
        self._bucket_is_there = True

    def names(self, below: str | None = None) -> dict[str, int]:
        """List the objects and their sizes in bytes, up to a million; `below`: those of a folder, all the same whole."""
        obstore = self.connect()
        found: dict[str, int] = {}

        def once() -> dict[str, int]:
            for part in obstore.list(self._objects, prefix=below):
                found.update({str(entry["path"]): int(entry["size"]) for entry in part})
                if len(found) > _MOST_LISTED:
                    break
            return found

        return self._tried(once, f"{self._what} {self.url}", done="listed")

    def put(self, name: str, content: Path | bytes, *, what: str) -> None:
        """Write an object, which is there whole or not at all; a large one in parts, which are repeated by themselves.

        Raises:
            InputError: It cannot be written, or arrives with another size.
        """
        obstore = self.connect()
        size = content.stat().st_size if isinstance(content, Path) else len(content)
        part = max(_LEAST_PART, -(-size // _MOST_PARTS))
        try:
            obstore.put(self._objects, name, content, chunk_size=part, max_concurrency=2)
        except errors_of(obstore) as error:
            raise failure(what, error, done="written") from error
        stated = self.stated(name, what=what)
        if stated is None or stated.size != size:
            found = "is not there" if stated is None else f"has {stated.size:,} bytes"
            raise InputError(f"{what}: {found} after it was written, expected {size:,}; run the command again.")

    def delete(self, names: Iterable[str]) -> None:
        """Remove objects by their names in this prefix. Raises InputError where the store refuses it."""
        obstore = self.connect()
        for name in names:
            self._tried(partial(obstore.delete, self._objects, name), f"{self._what} {self.url}/{name}", done="removed")

    def _tried(self, once: Callable[[], T], what: str, *, absent: str | None = None, done: str = "read") -> T:
        """Call what asks the store, again where its answer breaks off."""
        obstore = self.connect()
        for left in reversed(range(TRIES)):
            try:
                return once()
            except InputError:
                raise
            except obstore.exceptions.PreconditionError as error:
                raise ChangedError(_changed(what)) from error
            except errors_of(obstore) as error:
                if isinstance(error, FileNotFoundError) and absent is not None and not is_without_bucket(error):
                    raise InputError(absent) from error
                if not left or isinstance(error, FileNotFoundError):
                    raise failure(what, error, done=done) from error
        raise AssertionError


def _stated(meta: Any) -> Stated:
    return Stated(int(meta["size"]), str(meta["e_tag"] or meta["last_modified"].isoformat()))


def _changed(what: str) -> str:
    return f"{what}: has been changed while it was read; run the command again."
