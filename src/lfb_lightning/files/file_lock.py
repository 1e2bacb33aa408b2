"""Locks on files, with what the system has: `fcntl` on Linux and macOS, `msvcrt` on Windows, else none.

Every lock ends with its holder, however that ends. What is lost without `fcntl` is in docs/platforms.md.
"""

from __future__ import annotations

import errno
import os
import time
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Literal


def _module(name: str) -> Any:
    """Import a module of the standard library that not every system has; None where it is missing."""
    try:
        return import_module(name)
    except ImportError:
        return None


_posix, _windows = _module("fcntl"), _module("msvcrt")
KIND: Literal["fcntl", "msvcrt", "none"] = "fcntl" if _posix else "msvcrt" if _windows else "none"
OPEN_FILES_CAN_BE_RENAMED = _posix is not None  # and removed: Windows does neither
_LOCKED_BYTE = 0x7FFFFFFE  # far behind what is written: a locked byte cannot be read by others on Windows
_LOOK_SECONDS = 0.05


def lock_open_file(file: BinaryIO, *, wait: bool = False) -> None:
    """Lock a file for as long as it is open, here or in a process that was forked meanwhile and has inherited it.

    Args:
        file: A file that is open for writing, as network file systems ask for.
        wait: Whether to wait for the holder of the lock to end.

    Raises:
        BlockingIOError: Another one has the lock.
        OSError: This file system or this system has no locks.
    """
    if _posix is None:
        _lock_byte(file, wait=wait)
    else:
        _posix.flock(file, _posix.LOCK_EX | (0 if wait else _posix.LOCK_NB))


def lock_for_process(file: BinaryIO, *, wait: bool = False) -> None:
    """Lock a file for as long as this process has it open: forked processes, such as a loader's workers, do not inherit it.

    Args:
        file: A file that is open for writing.
        wait: Whether to wait for the holder of the lock to end.

    Raises:
        BlockingIOError: Another process has the lock.
        OSError: This file system or this system has no locks.
    """
    if _posix is None:
        _lock_byte(file, wait=wait)
        return
    try:
        _posix.lockf(file, _posix.LOCK_EX | (0 if wait else _posix.LOCK_NB))
    except PermissionError as error:  # which POSIX allows as well
        raise BlockingIOError(error.errno, error.strerror) from error


def remove_locked(file: BinaryIO, path: Path) -> None:
    """Remove a file that this process has locked, and close it; under its lock where the system removes open files.

    Args:
        file: The locked file.
        path: Its path.

    Raises:
        OSError: It cannot be removed: on Windows, because another process has opened it since.
    """
    with file:
        if not OPEN_FILES_CAN_BE_RENAMED:
            file.close()
        path.unlink(missing_ok=True)


def _lock_byte(file: BinaryIO, *, wait: bool) -> None:
    """Lock one byte as Windows does it: the lock belongs to the open file, and Windows starts no process by forking."""
    if _windows is None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
    place = file.tell()
    while True:
        file.seek(_LOCKED_BYTE)
        try:
            _windows.locking(file.fileno(), _windows.LK_NBLCK, 1)
        except PermissionError as error:
            if not wait:
                raise BlockingIOError(error.errno, error.strerror) from error
            time.sleep(_LOOK_SECONDS)
        else:
            return
        finally:
            file.seek(place)
