"""One writer per run folder: a second run in the folder of a living one is refused."""

from __future__ import annotations

import fcntl
import os
import socket
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from lfb_lightning.errors import InputError

_NAME = ".lock"
_LONGEST_TEXT = 300


class RunLock:
    """A locked, hidden file in the folder, which says who holds it.

    It is a lock of the process (POSIX), not of the open file: a loader's workers, which live on for some seconds when their
    run is killed, do not inherit it. It ends with its process, however that ends; the file stays and means nothing by itself.
    On a file system without locks everybody gets one.
    """

    def __init__(self, folder: Path, *, key: str) -> None:
        """Take the lock, making the folder if it is not there.

        Args:
            folder: The run's or the sweep's folder.
            key: The configuration key that chooses it, for the message.

        Raises:
            InputError: Another process holds it, or the folder cannot be written to.
        """
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
        """Let another run have the folder."""
        self._file.close()

    def _read_holder(self) -> str:
        with self._file:
            self._file.seek(0)
            return self._file.read(_LONGEST_TEXT).decode(errors="replace").strip() or "another process"


def _lock(file: BinaryIO) -> bool:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # POSIX allows either
        return False
    except OSError:  # a file system without locks
        return True
    return True
