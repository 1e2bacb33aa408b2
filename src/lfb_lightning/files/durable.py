"""Writing files so that they exist whole or not at all, even if the process or the machine stops meanwhile."""

from __future__ import annotations

import errno
import json
import math
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from lfb_lightning.errors import InputError
from lfb_lightning.files.file_lock import OPEN_FILES_CAN_BE_RENAMED, lock_open_file, remove_locked

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # the disk is full, or takes nothing
_TEMPORARY = ".tmp"


def write_durably(path: Path, content: bytes | memoryview) -> None:
    """Write a file with the given bytes durably; see `durable_file`."""
    with durable_file(path) as file:
        file.write(content)


@contextmanager
def durable_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that replaces `path` when the `with` block ends without an exception.

    It is written under a temporary name, flushed to disk and renamed, and then its folder is flushed: whoever reads `path`
    finds either the old content or the new. If writing fails, the old file stays and the temporary one is removed.

    Args:
        path: The file to write; its folder must exist.

    Yields:
        The open file, binary.

    Raises:
        InputError: The file cannot be written: there is no such folder, the disk is full, or permission is missing.
    """
    temporary: Path | None = None
    try:
        with _open_temporary(path.parent) as file:
            temporary = Path(file.name)
            yield file
            file.flush()
            os.fsync(file.fileno())
            if not OPEN_FILES_CAN_BE_RENAMED:
                file.close()
            temporary.replace(path)
            temporary = None
        _flush_folder(path.parent)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror or error}).") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    if not hasattr(os, "O_DIRECTORY"):  # Windows opens no folders
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_abandoned(folder: Path) -> int:
    """Delete the temporary files of writers that were killed, but not those of running ones; returns how many."""
    removed = 0
    for path in folder.glob(f".*{_TEMPORARY}"):
        try:
            with path.open("r+b") as file:  # network file systems give an exclusive lock only on files open for writing
                lock_open_file(file)  # fails while its writer runs, on any machine
                remove_locked(file, path)
            removed += 1
        except OSError:
            continue  # it is in use, was just removed, or the file system has no locks: leave it
    return removed


def _open_temporary(folder: Path) -> BinaryIO:
    """Open a hidden, locked file in `folder` under a name that no other process uses."""
    while True:
        file = (folder / f".{secrets.token_hex(8)}{_TEMPORARY}").open("xb")
        with suppress(OSError):  # a file system without locks, on which `remove_abandoned` removes nothing
            lock_open_file(file, wait=True)
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # another process removed it as abandoned between opening and locking: try again


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as JSON durably, with null for NaN and infinity, and sorted keys."""
    write_durably(path, (json.dumps(_without_nan(content), indent=1, sort_keys=True) + "\n").encode())


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
