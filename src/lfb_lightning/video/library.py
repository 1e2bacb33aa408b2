"""Finds a video by its id: `<video_dir>/<id>.<ending>` for files, `<video_dir>/<id>/` for JPEG folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lfb_lightning.errors import InputError
from lfb_lightning.video.cache import SUFFIX, CachedVideo
from lfb_lightning.video.file import VideoFile
from lfb_lightning.video.folder import FrameFolder
from lfb_lightning.video.protocol import Video


@dataclass(frozen=True, slots=True)
class VideoLibrary:
    """The videos of a data set: files (`source="video"`), JPEG folders (`"frames"`) or the frame cache (`"cache"`).

    `fps` and `first_frame_number` are the rate and the first number of extracted JPEGs; video files carry time stamps.
    """

    video_dir: Path
    source: str = "video"
    fps: float = 30.0
    first_frame_number: int = 1
    cache_dir: Path | None = None
    endings: Sequence[str] = (".mp4", ".mkv", ".webm", ".avi", ".mov")

    def open(self, video_id: str) -> Video:
        """The video of an id; raises InputError if there is none, or if the id would leave `video_dir`."""
        if not video_id or Path(video_id).name != video_id or video_id in (".", ".."):
            raise InputError(f"video id {video_id!r} is not a plain file name; it would leave {self.video_dir}.")
        if self.source == "cache":
            assert self.cache_dir is not None
            return CachedVideo(self.cache_dir / f"{video_id}{SUFFIX}")
        if self.source == "frames":
            return FrameFolder(self.video_dir / video_id, fps=self.fps, first_number=self.first_frame_number)
        for ending in self.endings:
            path = self.video_dir / f"{video_id}{ending}"
            if path.is_file():
                return VideoFile(path)
        tried = ", ".join(self.endings)
        raise InputError(
            f"video {self.video_dir / video_id}: no file with one of the endings {tried}; see data.video_dir."
        )
