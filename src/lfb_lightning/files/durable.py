"""Files that are there whole or not at all, whatever happens to the process or the machine meanwhile."""

from __future__ import annotations

import fcntl
import json
import math
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from lfb_lightning.errors import InputError

_TEMPORARY = ".tmp"


def write_durably(path: Path, content: bytes | memoryview) -> None:
    """Write a file as `durable_file` does."""
    with durable_file(path) as file:
        file.write(content)


@contextmanager
def durable_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write into that takes the place of `path` once the block has ended without an exception.

    It is written under a temporary name, flushed to the disk, renamed, and its folder flushed: whoever reads `path` finds
    the old content or the new one. Where writing fails, the old file stays, and the temporary one is removed.

    Raises:
        InputError: It cannot be written: no such folder, a full disk, no right to.
    """
    temporary: Path | None = None
    try:
        with _open_temporary(path.parent) as file:
            temporary = Path(file.name)
            yield file
            file.flush()
            os.fsync(file.fileno())
            temporary.replace(path)
            temporary = None
        _flush_folder(path.parent)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error}).") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_abandoned(folder: Path) -> int:
    """Delete the temporary files of writers that were killed, not those of living ones; returns how many."""
    removed = 0
    for path in folder.glob(f".*{_TEMPORARY}"):
        try:
            with path.open("r+b") as file:  # network file systems lock for writing only what is open for it
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while its writer lives, on any machine
                path.unlink()
                removed += 1
        except OSError:
            continue  # in use, just gone, or on a file system without locks: none of our business
    return removed


def _open_temporary(folder: Path) -> BinaryIO:
    """A hidden, locked file in `folder`, under a name that no other process has."""
    while True:
        file = (folder / f".{secrets.token_hex(8)}{_TEMPORARY}").open("xb")
        with suppress(OSError):  # a file system without locks: nobody will take the file for abandoned either
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # `remove_abandoned` of another process came between opening and locking


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON durably, with null for NaN."""
    write_durably(path, (json.dumps(_without_nan(content), indent=1, sort_keys=True) + "\n").encode())


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
