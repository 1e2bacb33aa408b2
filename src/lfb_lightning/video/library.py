"""Finding a video by its id: `<video_dir>/<id>.<ending>` for files, `<video_dir>/<id>/` for JPEG folders.

An id is text from a csv file: `v_01`, or `sport/v_01` where a data set has a folder per class. Its parts must be plain
names, so that no id leads out of the folder. Symbolic links in the folder are followed: the user who keeps it made them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.store import note_workers_need
from lfb_lightning.files.objects.url import Place, Url
from lfb_lightning.ranges import refuse_unknown
from lfb_lightning.video.cache import SUFFIX, CachedVideo
from lfb_lightning.video.file import VideoFile
from lfb_lightning.video.folder import FrameFolder
from lfb_lightning.video.listing import once_per_folder
from lfb_lightning.video.packed_cache import packed_index
from lfb_lightning.video.place import find_object
from lfb_lightning.video.protocol import Video
from lfb_lightning.video.torchcodec_file import TorchcodecFile

# Endings of the containers from which tests read the exact frames; see the table in docs/data.md.
ENDINGS = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".flv", ".wmv")
DECODERS = ("pyav", "torchcodec", "nvdec")
_LONGEST_NAME = 255  # bytes, of the usual file systems


@runtime_checkable
class Library(Protocol):
    """What finds videos by their ids: a `VideoLibrary`, or several of them as one."""

    @property
    def cache_dir(self) -> Place | None:
        """The folder of the frame cache."""
        ...

    def of(self, video_id: str) -> VideoLibrary:
        """Give the library that has a video."""
        ...

    def open(self, video_id: str) -> Video:
        """Return the video of an id; raises InputError where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class VideoLibrary:
    """The videos of a data set, by id.

    Args:
        video_dir: The folder of video files or of JPEG folders, or a URL of video files.
        source: `video` for video files, `frames` for JPEG folders, `cache` for the frame cache.
        fps: Frames per second of JPEG folders; video files have time stamps.
        first_frame_number: The number of the first JPEG of a video.
        cache_dir: The folder of the frame cache, or its URL.
        endings: Endings of video files, matched in upper and lower case.
        frame_prefix: How the names of JPEGs begin; None where all in a folder begin alike.
        decoder: What decodes video files: `pyav`, `torchcodec`, or `nvdec`, which is torchcodec on a GPU.

    Raises:
        InputError: Another decoder than `pyav` is asked for where there are no video files.
    """

    video_dir: Place
    source: str = "video"
    fps: float = 30.0
    first_frame_number: int = 1
    cache_dir: Place | None = None
    endings: Sequence[str] = ENDINGS
    frame_prefix: str | None = None
    decoder: str = "pyav"

    def __post_init__(self) -> None:
        refuse_unknown("data", self, {"decoder": DECODERS})
        if self.decoder != "pyav" and self.source != "video":
            raise InputError(
                f"data.decoder is {self.decoder}, which decodes video files, but data.source is {self.source}; set "
                "data.source=video, or leave data.decoder out."
            )
        if isinstance(self.video_dir, Url) or isinstance(self.cache_dir, Url):
            note_workers_need()

    def of(self, video_id: str) -> VideoLibrary:
        """Give the library that has a video: this one."""
        return self

    def open(self, video_id: str) -> Video:
        """Return the video of an id.

        Raises:
            InputError: There is none or there are several, or the id would lead out of the folder.
        """
        if self.source == "cache":
            return self._cached(video_id)
        path = _below(self.video_dir, video_id, video_id)
        if isinstance(path, Url):
            return self._object(path)
        if self.source == "frames":
            return FrameFolder(path, fps=self.fps, first_number=self.first_frame_number, frame_prefix=self.frame_prefix)
        file = self._file(path)
        if self.decoder == "pyav":
            return VideoFile(file)
        return TorchcodecFile(file, device="cuda" if self.decoder == "nvdec" else "cpu")

    def _object(self, url: Url) -> Video:
        """Return the video of a URL that has no ending."""
        if self.source == "frames":
            raise InputError(
                f"frames {url}: folders of JPEGs are not read from an object store; make a frame cache of them with "
                "`lfb-cache`, upload that, and set data.source=cache data.cache_dir=<its URL>."
            )
        if self.decoder != "pyav":
            raise InputError(
                f"data.decoder is {self.decoder}, but videos in an object store ({self.video_dir}) are read by pyav; leave "
                "data.decoder out."
            )
        return VideoFile(find_object(url, self.endings))

    def _cached(self, video_id: str) -> CachedVideo:
        """Return a video of the cache: its own file, which is newer where there is one, or its part of a packed one."""
        assert self.cache_dir is not None
        path = self.cache_file(video_id)
        index = None if isinstance(path, Path) and path.is_file() else packed_index(self.cache_dir)
        return CachedVideo(path, None if index is None else index.part(video_id))

    def cache_file(self, video_id: str) -> Place:
        """Return the path of a video's own file of the cache.

        Raises:
            InputError: The id would lead out of the folder.
        """
        assert self.cache_dir is not None
        return _below(self.cache_dir, f"{video_id}{SUFFIX}", video_id)

    def _file(self, path: Path) -> Path:
        """Find the video file of a path that has no ending."""
        names = _names_by_stem(path.parent)
        found = [
            name
            for name in names.get(path.name.casefold(), [])
            if Path(name).stem == path.name and Path(name).suffix.lower() in self.endings
        ]
        if len(found) == 1:
            return path.with_name(found[0])
        if found:
            raise InputError(f"video {path}: there are {' and '.join(found)}; keep the one that was annotated there.")
        tried = ", ".join(self.endings)
        raise InputError(
            f"video {path}: no file with one of the endings {tried}{_instead(path, names)}; see data.video_dir."
        )


def _instead(path: Path, names: Mapping[str, list[str]]) -> str:
    """Say, for a message, what lies there under nearly that name, and why it is not taken."""
    if path.is_dir():
        return "; there is a folder of that name: are these its frames, data.source=frames?"
    if near := names.get(path.name.casefold()):
        alike = any(Path(name).stem == path.name for name in near)
        why = "convert it: `ffmpeg -i IN OUT.mp4`" if alike else "upper and lower case differ"
    elif near := names.get(path.stem.casefold(), []):
        why = "ids are written without the ending"
    return f"; there is {', '.join(near[:3])}: {why}" if near else ""


def _below(root: Place, name: str, video_id: str) -> Place:
    """Return the path of a name below `root`; raises InputError unless the id is plain names with / between them."""
    if not all(_is_plain(part) for part in video_id.split("/")):
        raise InputError(
            f"video id {video_id!r} is not a plain file name, nor plain names with / between them; it would leave {root}."
        )
    return root / name


def _is_plain(part: str) -> bool:
    try:
        fits = 0 < len(part.encode()) <= _LONGEST_NAME
    except UnicodeEncodeError:  # half a character, as JSON can bring it
        return False
    return fits and part not in (".", "..") and "\\" not in part and "\0" not in part


@once_per_folder
def _names_by_stem(names: Sequence[str], folder: Path) -> dict[str, list[str]]:
    """Group file names by what stands before their ending, in lower case."""
    by_stem: dict[str, list[str]] = {}
    for name in names:
        by_stem.setdefault(Path(name).stem.casefold(), []).append(name)
    return by_stem
