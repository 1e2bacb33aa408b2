"""Where the files of a packed bank are: a folder. Reads are exact, or one line that says what is wrong with which file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from io import FileIO
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.url import Url

REMEDY = "run lfb-bank verify, and lfb-bank pack again from the bank that it was made of"
_AT_ONCE = getattr(os, "RWF_NOWAIT", None)  # Linux: read what is in memory, and do not wait for the disk
_CAN_ANNOUNCE = hasattr(os, "posix_fadvise")


class ByteRange(NamedTuple):
    """Bytes of a file.

    Args:
        name: Of the file.
        begin: The first byte.
        end: The byte after the last one.
        video_id: Whose they are, for messages.
    """

    name: str
    begin: int
    end: int
    video_id: str


@runtime_checkable
class Store(Protocol):
    """Immutable files, of which ranges are read; `folder` names their place in messages."""

    folder: Path | Url

    def read(self, ranges: Sequence[ByteRange]) -> Iterator[UInt8[np.ndarray, " n"]]:
        """Read ranges, which may be asked for all at once, and give them in order.

        Raises:
            InputError: A file is missing, or is not as long as the range; with its name and the video's.
        """

    def index(self, name: str, size: int) -> Path:
        """Give a file on this machine that holds the index of this name, of so many bytes by the manifest."""

    def names(self) -> dict[str, int]:
        """List the files and their sizes in bytes."""


class FolderStore:
    """The files of a folder. Nothing is held open between calls; all processes share the page cache.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder: Path | Url = folder
        self._folder = folder

    def index(self, name: str, size: int) -> Path:
        """See `Store`; the file itself."""
        return self._folder / name

    def names(self) -> dict[str, int]:
        """See `Store`."""
        return {path.name: path.stat().st_size for path in sorted(self._folder.iterdir()) if path.is_file()}

    def read(self, ranges: Sequence[ByteRange]) -> Iterator[UInt8[np.ndarray, " n"]]:
        """See `Store`; when the first range turns out not to be in memory, the disk is asked for all that follow."""
        waited = _AT_ONCE is None or not _CAN_ANNOUNCE
        for number, wanted in enumerate(ranges):
            with self._open(wanted) as file:
                found = np.empty(wanted.end - wanted.begin, dtype=np.uint8)
                have = 0
                if not waited:
                    have = _read_cached(file, found, wanted.begin)
                    if have < len(found):
                        waited = True
                        self._announce(ranges[number:])
                _read_rest(file, found, wanted, have, self._folder)
            yield found

    def _open(self, wanted: ByteRange) -> FileIO:
        path = self._folder / wanted.name
        try:
            file = FileIO(path)
        except OSError as error:
            raise InputError(
                f"bank shard {path}: cannot be opened ({error.strerror}), video {wanted.video_id} is in it; {REMEDY}."
            ) from error
        size = os.fstat(file.fileno()).st_size
        if not 0 <= wanted.begin <= wanted.end <= size:
            file.close()
            raise InputError(
                f"bank shard {path}: is {size} bytes long, expected video {wanted.video_id} at {wanted.begin} to "
                f"{wanted.end}; {REMEDY}."
            )
        return file

    def _announce(self, ranges: Sequence[ByteRange]) -> None:
        """Tell the system what is about to be read, so that the disk works on all of it at once."""
        for wanted in ranges:
            with self._open(wanted) as file:
                os.posix_fadvise(file.fileno(), wanted.begin, wanted.end - wanted.begin, os.POSIX_FADV_WILLNEED)


def _read_cached(file: FileIO, into: UInt8[np.ndarray, " n"], begin: int) -> int:
    """Read as much as is in memory; returns how many bytes that was."""
    assert _AT_ONCE is not None
    try:
        return os.preadv(file.fileno(), [into.data], begin, _AT_ONCE)
    except OSError:  # nothing is, or this file system cannot tell
        return 0


def _read_rest(file: FileIO, into: UInt8[np.ndarray, " n"], wanted: ByteRange, have: int, folder: Path) -> None:
    try:
        if have < len(into):
            file.seek(wanted.begin + have)
        while have < len(into):
            count = file.readinto(into.data[have:])
            if not count:
                raise OSError(None, "it has become shorter")
            have += count
    except OSError as error:
        raise InputError(
            f"bank shard {folder / wanted.name}: cannot be read ({error.strerror}), video {wanted.video_id} is in it; "
            f"{REMEDY}."
        ) from error
