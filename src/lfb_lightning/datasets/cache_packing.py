"""Packs the files of a frame cache into archives while they are made, so that never many of them lie there at once."""

from __future__ import annotations

from pathlib import Path

from lfb_lightning.files.run_lock import waiting_lock
from lfb_lightning.video.library import Library
from lfb_lightning.video.packed_cache import packed_index, write_archive

_LOCK = ".packing.lock"


class CachePacker:
    """Takes finished cache files, and writes an archive whenever they fill one.

    Several may pack into one folder: each archive is written by one at a time. A process that is killed leaves files that the
    next one packs.

    Args:
        videos: Where the cache files lie.
        archive_bytes: From so many bytes on an archive is ended.

    Attributes:
        archives: How many were written.
    """

    def __init__(self, videos: Library, *, archive_bytes: int) -> None:
        self.archives = 0
        self._videos = videos
        self._archive_bytes = archive_bytes
        self._waiting: dict[str, Path] = {}
        self._bytes = 0

    def add(self, video_id: str) -> None:
        """Take a video's file, if it has one of its own; pack what is waiting when it is enough.

        Raises:
            InputError: The archive cannot be written.
        """
        path = self._videos.of(video_id).cache_file(video_id)
        assert isinstance(path, Path)  # lfb-cache refuses a URL
        if path.is_file():
            self._waiting[video_id] = path
            self._bytes += path.stat().st_size
        if self._bytes >= self._archive_bytes:
            self.finish()

    def finish(self) -> None:
        """Pack what is waiting, and remove the files that are packed.

        Raises:
            InputError: The archive cannot be written.
        """
        folder = self._videos.cache_dir
        assert isinstance(folder, Path)  # lfb-cache refuses a URL
        if not self._waiting:
            return
        with waiting_lock(folder / _LOCK):
            files = {video_id: path for video_id, path in self._waiting.items() if path.is_file()}
            if files:
                write_archive(folder, files, packed_index(folder))
                self.archives += 1
            for path in files.values():
                path.unlink(missing_ok=True)
        self._waiting.clear()
        self._bytes = 0
