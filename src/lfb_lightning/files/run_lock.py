"""A lock on a run folder, so that a second run cannot write into the folder of one that is still running."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from lfb_lightning.errors import InputError
from lfb_lightning.files.file_lock import lock_for_process

_NAME = ".lock"
_LONGEST_TEXT = 300


class RunLock:
    """A lock on a hidden file in the folder, which says who holds it.

    It is a lock that belongs to the process and not to the open file: a data loader's workers, which live on for
    some seconds when their run is killed, do not inherit it. The lock ends with its process, however that ends; the file
    stays, and without a lock on it has no effect. On a file system without locks, every process gets it.

    Args:
        folder: The folder of the run or the sweep; it is made if it does not exist.
        key: The configuration key that chooses the folder, for the message.

    Raises:
        InputError: Another process holds the lock, or the folder cannot be written to.
    """

    def __init__(self, folder: Path, *, key: str) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = (folder / _NAME).open("a+b", buffering=0)
            if not _lock(self._file):
                holder = self._read_holder()
                raise InputError(
                    f"run folder {folder}: {holder} is writing here; wait for its end, end it, or choose another {key}."
                )
            self._file.truncate(0)
            since = datetime.now().astimezone().isoformat(" ", "seconds")
            self._file.write(f"process {os.getpid()} on {socket.gethostname()}, since {since},\n".encode())
        except OSError as error:
            raise InputError(
                f"run folder {folder}: cannot be written to ({error.strerror}); choose another {key}."
            ) from error

    def release(self) -> None:
        """Give the lock up, so that another run can take it."""
        self._file.close()

    def _read_holder(self) -> str:
        with self._file:
            self._file.seek(0)
            return self._file.read(_LONGEST_TEXT).decode(errors="replace").strip() or "another process"


@contextmanager
def waiting_lock(path: Path) -> Iterator[None]:
    """Hold a lock on a file, for which other processes wait; on a file system without locks, nobody waits.

    Args:
        path: The file, which is made if it does not exist, and stays.
    """
    with path.open("a+b") as file:
        with suppress(OSError):
            lock_for_process(file, wait=True)
        yield


def _lock(file: BinaryIO) -> bool:
    try:
        lock_for_process(file)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True
