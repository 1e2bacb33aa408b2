"""Claims on videos, by which several runs, on any machines, share the videos of one bank folder, and on the folder's end.

A lock costs 0.1 ms per video. It lets runs of unequal speed share a split until the last video, and a run that takes
over from a killed one starts at once, without anybody saying how many runs there are.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

from lfb_lightning.bank.layout import file_name
from lfb_lightning.errors import InputError
from lfb_lightning.files.file_lock import lock_open_file, remove_locked

_log = logging.getLogger(__name__)
_POLL_SECONDS = 0.2
_ENDING = ".ending.claim.tmp"


@runtime_checkable
class SharedFolder(Protocol):
    """A folder that several runs fill with a file per video: a bank's writer has this, and so has `lfb-detect`'s."""

    @property
    def folder(self) -> Path:
        """Where the videos' files and the claims on them lie."""
        ...

    def path(self, video_id: str) -> Path:
        """Return the path at which a video's file is, or will be once it is finished."""
        ...

    def is_finished(self, video_id: str) -> bool:
        """Tell whether a video's file is there."""
        ...


class VideoClaims:
    """The videos that one process works on.

    A claim is an open, locked, hidden file beside the bank's: it ends with its process, however that ends. On a file system
    without locks everybody gets every claim: videos are then made twice, and are equal.

    Args:
        writer: Of the folder that is being filled.
    """

    def __init__(self, writer: SharedFolder) -> None:
        self._writer = writer
        self._held: dict[str, BinaryIO] = {}

    def begin(self, video_id: str, *, patience: float = 0.0) -> bool:
        """Claim a video; claims of videos that have been written meanwhile are given back.

        Args:
            video_id: The video.
            patience: Seconds to wait for another claim on it to end: after a run was killed, its loader's workers hold
                its claims for some seconds more.

        Returns:
            Whether this process is to make the video: nobody else has claimed it, and it is not finished.

        Raises:
            InputError: The folder takes no files.
        """
        until = time.monotonic() + patience
        while True:
            for done in [name for name in self._held if self._writer.is_finished(name)]:
                self.give_back(done)
            if self._claim(video_id):
                break
            if time.monotonic() >= until:
                return False
            time.sleep(_POLL_SECONDS)
        if self._writer.is_finished(video_id):  # between the list that was made at the start and the claim
            self.give_back(video_id)
            return False
        return True

    def give_back(self, video_id: str) -> None:
        """Let other runs claim a video again."""
        file = self._held.pop(video_id)
        with suppress(PermissionError):  # Windows, where another run looks at it: the file stays, unlocked
            remove_locked(file, self._path(video_id))

    def end(self) -> None:
        """Let other runs claim all videos that this one holds."""
        for name in list(self._held):
            self.give_back(name)

    def _claim(self, video_id: str) -> bool:
        try:
            file = _open_locked(self._path(video_id))
        except OSError as error:
            raise InputError(f"{self._writer.path(video_id)}: cannot be written ({error.strerror}).") from error
        if file is not None:
            self._held[video_id] = file
        return file is not None

    def _path(self, video_id: str) -> Path:
        # A hash, since an id may be as long as a name can be; removed with other dead writers' files.
        name = hashlib.blake2b(file_name(video_id).encode(), digest_size=16).hexdigest()
        return self._writer.folder / f".{name}.claim.tmp"


@contextmanager
def ending(folder: Path) -> Iterator[None]:
    """Hold the claim on a folder's end: its manifest is written, and it is packed, by one run at a time; others wait.

    As a claim on a video it is a hidden file that goes with its holder; on a file system without locks nobody waits.

    Args:
        folder: The bank's.

    Raises:
        InputError: The folder takes no files.
    """
    path = folder / _ENDING
    try:
        file = _open_locked(path)
        if file is None:
            _log.info("%s: waits for another run that is finishing or packing this bank", folder)
            file = _open_locked(path, wait=True)
    except OSError as error:
        raise InputError(f"bank {folder}: cannot be written ({error.strerror}); choose another folder.") from error
    try:
        yield
    finally:
        if file is not None:
            with suppress(PermissionError):  # as in `give_back`
                remove_locked(file, path)


def _open_locked(path: Path, *, wait: bool = False) -> BinaryIO | None:
    """Open and lock a file that whoever holds it removes; None where another one has the lock and is not waited for."""
    while True:
        file = path.open("ab")
        try:
            lock_open_file(file, wait=wait)
        except BlockingIOError:
            file.close()
            return None
        except OSError:
            pass  # no locks here
        if os.fstat(file.fileno()).st_nlink:
            return file
        file.close()  # given back between opening and locking: it is another file now


def left_by_others(
    writer: SharedFolder, video_ids: Collection[str], *, patience: float = 10.0
) -> tuple[list[str], list[str]]:
    """Find out who is at the videos that this run has not made.

    Args:
        writer: The folder's writer.
        video_ids: The unfinished videos.
        patience: Seconds to wait for a file: a run gives its last claim back a moment before the video is written.

    Returns:
        Those that another run is at, and those that nobody is at any more.
    """
    claims = VideoClaims(writer)
    until = time.monotonic() + patience
    while True:
        free = [video_id for video_id in video_ids if claims.begin(video_id)]
        claims.end()
        if not free or time.monotonic() >= until:
            taken = [name for name in video_ids if name not in free and not writer.is_finished(name)]
            return taken, free
        time.sleep(_POLL_SECONDS)
