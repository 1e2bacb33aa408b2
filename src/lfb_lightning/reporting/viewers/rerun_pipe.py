"""What Rerun writes goes through a pipe into a file of ours.

Rerun writes in a thread of its own, which ends when the disk is full; whoever closes the recording then waits for that thread
for ever. A pipe that is read to its end never fails, and what the file does not take is raised here.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_AT_ONCE = 1 << 20


class RerunPipe:
    """Copies what arrives at a path into an open file, in a thread.

    Args:
        path: Where Rerun saves to.
        file: Where it goes.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self.path = path
        self._file = file
        self._failure: OSError | None = None

    def refuse_failure(self) -> None:
        """Raise the OSError with which the file has refused what arrived, if it has."""
        if self._failure is not None:
            raise self._failure

    def copy(self, reader: int) -> None:
        """Copy until every writer has closed the pipe; what comes after a failure is read and forgotten."""
        while content := os.read(reader, _AT_ONCE):
            if self._failure is None:
                self._write(content)

    def take(self) -> None:
        """Copy what lies at the path."""
        with self.path.open("rb") as written:
            while self._failure is None and (content := written.read(_AT_ONCE)):
                self._write(content)

    def _write(self, content: bytes) -> None:
        try:
            self._file.write(content)
        except OSError as error:
            self._failure = error


@contextmanager
def pipe_into(file: BinaryIO) -> Iterator[RerunPipe]:
    """Open a pipe into a file; Windows, which has none with a path, gets a file beside it, which is copied at the end.

    Args:
        file: Open for writing.

    Yields:
        The pipe. Its recording must be closed when the block ends.

    Raises:
        OSError: The file has not taken everything.
    """
    if not hasattr(os, "mkfifo"):
        with tempfile.TemporaryDirectory(dir=Path(file.name).parent) as folder:
            pipe = RerunPipe(Path(folder) / "recording", file)
            yield pipe
            if pipe.path.exists():
                pipe.take()
        pipe.refuse_failure()
        return
    with tempfile.TemporaryDirectory() as folder:
        pipe = RerunPipe(Path(folder) / "recording", file)
        os.mkfifo(pipe.path)
        reader = os.open(pipe.path, os.O_RDONLY | os.O_NONBLOCK)  # opened before there is a writer
        writer = os.open(pipe.path, os.O_WRONLY)  # keeps it open before Rerun comes
        os.set_blocking(reader, True)
        copying = threading.Thread(target=pipe.copy, args=(reader,), daemon=True)
        copying.start()
        try:
            yield pipe
        finally:
            os.close(writer)
            copying.join()
            os.close(reader)
    pipe.refuse_failure()
