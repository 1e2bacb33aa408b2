"""Where the files of a packed bank are: a folder. Reads are exact, or one line that says what is wrong with which file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
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
_OPEN_AT_ONCE = 64  # shards


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
        with _Opened(self._folder) as opened:
            for number, wanted in enumerate(ranges):
                file = opened.file(wanted)
                found = np.empty(wanted.end - wanted.begin, dtype=np.uint8)
                have = 0
                if not waited:
                    have = _read_cached(file, found, wanted.begin)
                    if have < len(found):
                        waited = True
                        self._announce(ranges[number:])
                _read_rest(file, found, wanted, have, self._folder)
                yield found

    def _announce(self, ranges: Sequence[ByteRange]) -> None:
        """Tell the system what is about to be read, so that the disk works on all of it at once."""
        with _Opened(self._folder) as opened:
            for wanted in ranges:
                descriptor = opened.file(wanted).fileno()
                os.posix_fadvise(descriptor, wanted.begin, wanted.end - wanted.begin, os.POSIX_FADV_WILLNEED)


class _Opened(ExitStack):
    """Shards that one call has opened: windows of a batch often lie in the same few."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._files: dict[str, tuple[FileIO, int]] = {}

    def file(self, wanted: ByteRange) -> FileIO:
        """Open the shard of a range, once; raises InputError where it is missing, or ends before the range."""
        file, size = self._files.get(wanted.name) or self._open(wanted)
        if not 0 <= wanted.begin <= wanted.end <= size:
            raise InputError(
                f"bank shard {self._folder / wanted.name}: is {size} bytes long, expected video {wanted.video_id} at "
                f"{wanted.begin} to {wanted.end}; {REMEDY}."
            )
        return file

    def _open(self, wanted: ByteRange) -> tuple[FileIO, int]:
        if len(self._files) == _OPEN_AT_ONCE:
            self.close()
            self._files.clear()
        path = self._folder / wanted.name
        try:
            file = self.enter_context(FileIO(path))
        except OSError as error:
            raise InputError(
                f"bank shard {path}: cannot be opened ({error.strerror}), video {wanted.video_id} is in it; {REMEDY}."
            ) from error
        self._files[wanted.name] = file, os.fstat(file.fileno()).st_size
        return self._files[wanted.name]


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
