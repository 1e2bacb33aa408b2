"""The clips of Kinetics that are there: files or folders of frames named `<youtube_id>_<start>_<end>`.

They lie in one folder, as in the copy that the Common Visual Data Foundation keeps, or in a folder per class below it, as
ActivityNet's downloader puts them. Either way a clip's id is its name.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from lfb_lightning.ava.kinetics import ClipTable, is_clip_name
from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.url import Place, Url
from lfb_lightning.video import Video, VideoLibrary
from lfb_lightning.video.cache import SUFFIX
from lfb_lightning.video.packed_cache import packed_index


class ClipVideos:
    """A library of clips; a `Library`.

    Args:
        library: The folder of the clips, and how they are read.
    """

    def __init__(self, library: VideoLibrary) -> None:
        self.library = library

    @property
    def cache_dir(self) -> Place | None:
        """The folder of the frame cache."""
        return self.library.cache_dir

    def of(self, video_id: str) -> VideoLibrary:
        """Give the library of the folder in which a clip lies."""
        folder = self._folders.get(video_id)
        return self.library if folder is None else replace(self.library, video_dir=folder)

    def open(self, video_id: str) -> Video:
        """Return a clip's video; raises InputError where there is none."""
        return self.of(video_id).open(video_id)

    def table(self) -> ClipTable:
        """List the clips by YouTube video, those of the frame cache included where frames are read from it.

        Raises:
            InputError: There is no such folder.
        """
        cached = self.library.cache_dir if self.library.source == "cache" else None
        folder = None if cached is None else _folder(cached, "data.cache_dir")
        names = [] if folder is None else [name.removesuffix(SUFFIX) for name in _names(folder, SUFFIX)]
        if folder is not None and (packed := packed_index(folder)) is not None:
            names += [name for name, _ in packed.entries()]
        return ClipTable([*(name for name, _ in self._listed()), *names])

    @cached_property
    def _folders(self) -> dict[str, Path]:
        """The folder of each clip that lies in one below; of two with one name, the first by the folders' names."""
        folders: dict[str, Path] = {}
        for name, folder in self._listed():
            folders.setdefault(name, folder)
        # Kinetics has 650,000 clips: those that lie where the library looks anyway are not kept.
        return {name: folder for name, folder in folders.items() if folder != self.library.video_dir}

    def _listed(self) -> Iterator[tuple[str, Path]]:
        """List the clips with their folders."""
        library, root = self.library, _folder(self.library.video_dir, "data.kinetics_video_dir")
        if not root.is_dir():
            if library.source == "cache":
                return
            raise InputError(f"Kinetics clips {root}: no such folder; set data.kinetics_video_dir.")
        with os.scandir(root) as entries:
            below = sorted(Path(entry.path) for entry in entries if entry.is_dir() and not is_clip_name(entry.name))
        for folder in [root, *below]:
            for name in _clips(folder, frames=library.source == "frames", endings=tuple(library.endings)):
                yield name, folder


def _clips(folder: Path, *, frames: bool, endings: tuple[str, ...]) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name, ending = (entry.name, "") if frames else os.path.splitext(entry.name)  # noqa: PTH122  no Path each
            if is_clip_name(name) and (entry.is_dir() if frames else ending.lower() in endings):
                yield name


def _folder(place: Place, key: str) -> Path:
    """Refuse a URL: all of the clips are listed, with the folders of their classes."""
    if isinstance(place, Url):
        raise InputError(f"{key}={place}: Kinetics' clips are not read from an object store yet; give a folder.")
    return place


def _names(folder: Path, suffix: str) -> list[str]:
    return [path.name for path in folder.glob(f"*{suffix}")] if folder.is_dir() else []


@dataclass(frozen=True, slots=True)
class TwoLibraries:
    """The movies of AVA and the clips of Kinetics as one library; a `Library`.

    Args:
        movies: AVA's.
        clips: Kinetics'.
        is_clip: Whether an id is that of a clip.
    """

    movies: VideoLibrary
    clips: ClipVideos
    is_clip: Callable[[str], bool]

    @property
    def cache_dir(self) -> Place | None:
        """The folder of the frame cache, which is one for both."""
        return self.movies.cache_dir

    def of(self, video_id: str) -> VideoLibrary:
        """Give the library that has a video."""
        return self.clips.of(video_id) if self.is_clip(video_id) else self.movies

    def open(self, video_id: str) -> Video:
        """Return the video of an id; raises InputError where there is none."""
        return self.of(video_id).open(video_id)
