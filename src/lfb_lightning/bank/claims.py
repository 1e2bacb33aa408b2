"""Who works on which video, where several runs, on any machines, fill one bank folder."""

from __future__ import annotations

import fcntl
import os
from typing import BinaryIO

from lfb_lightning.bank.layout import file_name
from lfb_lightning.bank.writer import BankWriter


class VideoClaims:
    """A claim is an open, locked, hidden file beside the bank's: it ends with its process, however that ends.

    On a file system without locks everybody gets every claim: videos are then made twice, and are equal.
    """

    def __init__(self, writer: BankWriter) -> None:
        self._writer = writer
        self._held: dict[str, BinaryIO] = {}

    def begin(self, video_id: str) -> bool:
        """Claim a video that nobody has claimed and that is not finished; False for any other.

        Claims of videos that have been written meanwhile are given back.
        """
        for done in [name for name in self._held if self._writer.is_finished(name)]:
            self._give_back(done)
        if not self._claim(video_id):
            return False
        if self._writer.is_finished(video_id):  # between the list that was made at the start and the claim
            self._give_back(video_id)
            return False
        return True

    def end(self) -> None:
        """Give all claims back."""
        for name in list(self._held):
            self._give_back(name)

    def _claim(self, video_id: str) -> bool:
        path = self._writer.folder / f".{file_name(video_id)}.claim.tmp"  # removed with other dead writers' files
        while True:
            file = path.open("ab")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                return False
            except OSError:
                pass
            if os.fstat(file.fileno()).st_nlink:
                self._held[video_id] = file
                return True
            file.close()  # given back between opening and locking: it is another file now

    def _give_back(self, video_id: str) -> None:
        file = self._held.pop(video_id)
        (self._writer.folder / f".{file_name(video_id)}.claim.tmp").unlink(missing_ok=True)
        file.close()
