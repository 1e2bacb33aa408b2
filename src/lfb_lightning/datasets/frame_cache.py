"""Makes the frame cache of a data set: one pass over each video, resumable, on several processes."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from lfb_lightning.clips import ClipSettings
from lfb_lightning.clips.sampling import ClipSampling
from lfb_lightning.datasets.action_dataset import Cacheable
from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import remove_abandoned
from lfb_lightning.files.objects.url import Url
from lfb_lightning.processes import serve
from lfb_lightning.structures import VideoFailure
from lfb_lightning.video import VideoLibrary
from lfb_lightning.video.cache import CachedVideo, write_cache

_OF_CLIPS = ("num_frames", "frame_stride", "frame_shift", "fps")


@dataclass(frozen=True, slots=True)
class CachedFile:
    """A video that is in the cache, and whether it was there before this run."""

    video_id: str
    bytes: int
    was_there: bool


@dataclass(frozen=True, slots=True)
class CacheRecipe:
    """How frames are stored.

    Args:
        short_side: Most pixels of a frame's short side.
        quality: Quality of the JPEGs, 1 to 95.
    """

    short_side: int = 320
    quality: int = 90

    def __post_init__(self) -> None:
        if self.short_side < 1 or not 1 <= self.quality <= 95:
            raise InputError(
                f"short_side is {self.short_side} and quality {self.quality}, expected at least 1, and 1 to 95."
            )


def touched_moments(data: Cacheable, video_id: str, sampling: ClipSampling) -> Float64[np.ndarray, " K"]:
    """List every moment of a video that a clip may read.

    Args:
        data: The data set.
        video_id: The video.
        sampling: Which frames make a clip.

    Returns:
        Seconds since the video's first frame, ascending.
    """
    times = [sampling.times(moment) for moment in data.clip_moments(video_id)]
    return np.unique(np.round(np.concatenate([*times, np.zeros(0)]), 6))


def make_cache(
    data: Cacheable, clips: ClipSettings, video_ids: Sequence[str], recipe: CacheRecipe, *, num_workers: int
) -> Iterator[CachedFile | VideoFailure]:
    """Cache videos into the data set's cache; a file that is there is verified, and made anew if its recipe was another.

    Args:
        data: Where the videos and the cache lie, and which moments clips show.
        clips: How clips are cut, hence which frames are stored.
        video_ids: The videos.
        recipe: How frames are stored.
        num_workers: Processes; 0: this one does it all.

    Yields:
        Each video as it is done.
    """
    if isinstance(data.videos.cache_dir, Path):
        remove_abandoned(data.videos.cache_dir)
    described = dict(data.describe_moments())
    jobs = (
        (data.videos.of(one), clips, one, recipe, touched_moments(data, one, clips.sampling), described)
        for one in video_ids
    )  # a process gets what concerns its video, not the whole data set
    if num_workers < 1:
        yield from (_cache_video(*job) for job in jobs)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_workers, context, initializer=serve, initargs=(os.getpid(),)) as pool:
        futures = [pool.submit(_cache_video, *job) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:  # an end that was asked for does not wait for the videos in hand, which may take minutes
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def _cache_video(
    library: VideoLibrary,
    clips: ClipSettings,
    video_id: str,
    recipe: CacheRecipe,
    touched: Float64[np.ndarray, " K"],
    described: Mapping[str, object],
) -> CachedFile | VideoFailure:
    library = replace(library, source="video") if library.source == "cache" else library
    made_from = _made_from(library, clips, video_id, recipe) | dict(described)
    try:
        cached = replace(library, source="cache", decoder="pyav").open(video_id)
        assert isinstance(cached, CachedVideo)
        path, holder = cached.path, cached.part.path
        assert isinstance(path, Path)  # lfb-cache refuses a URL
        assert isinstance(holder, Path)
        assert not isinstance(library.cache_dir, Url)
        if holder.is_file() and _is_valid(cached, made_from):
            return CachedFile(video_id, cached.part.size or path.stat().st_size, was_there=True)
        _refuse_links_out(path.parent, library.cache_dir or Path())
        path.parent.mkdir(parents=True, exist_ok=True)
        size = write_cache(
            path,
            library.open(video_id),
            touched,
            short_side=recipe.short_side,
            quality=recipe.quality,
            made_from=made_from,
        )
        return CachedFile(video_id, size, was_there=False)
    except (InputError, OSError) as error:
        return VideoFailure(video_id, str(error))


def _made_from(library: VideoLibrary, clips: ClipSettings, video_id: str, recipe: CacheRecipe) -> dict[str, object]:
    """What decides the content of a cache file beside the moments, as it is written into it."""
    made_from = {"video_id": video_id, "short_side": recipe.short_side, "quality": recipe.quality}
    made_from |= {"source": library.source} | {name: getattr(clips, name) for name in _OF_CLIPS}
    if clips.frame_spacing != "stride":
        made_from["frame_spacing"] = clips.frame_spacing
    if library.source == "frames":  # left out where it is usual: files that were made before need not be made again
        usual = {"first_frame_number": 1, "frame_prefix": None}
        made_from |= {name: value for name in usual if (value := getattr(library, name)) != usual[name]}
    return made_from


def _refuse_links_out(folder: Path, root: Path) -> None:
    """Raise InputError where a link in the cache would have an id, which a csv brings, choose where a file is written."""
    if not folder.resolve().is_relative_to(root.resolve()):
        raise InputError(f"{folder}: is a link out of data.cache_dir, {root}; put a folder in its place.")


def _is_valid(cached: CachedVideo, made_from: dict[str, object]) -> bool:
    try:
        described = cached.describe()
        if {key: value for key, value in described.items() if key != "checksum"} != made_from:
            return False
        cached.verify()
    except (InputError, KeyError):
        return False
    return True
