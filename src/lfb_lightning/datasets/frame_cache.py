"""Makes the frame cache of a data set: one pass over each video, resumable, on several processes."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from lfb_lightning.clips import ClipSettings
from lfb_lightning.clips.sampling import ClipSampling
from lfb_lightning.datasets.ava.settings import AvaSettings
from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import remove_abandoned
from lfb_lightning.processes import serve
from lfb_lightning.structures import VideoFailure
from lfb_lightning.video.cache import CachedVideo, write_cache

_OF_CLIPS = ("num_frames", "frame_stride", "frame_shift", "fps")
_OF_DATA = ("origin_second", "first_second", "last_second", "key_step")


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


def touched_moments(data: AvaSettings, sampling: ClipSampling) -> Float64[np.ndarray, " K"]:
    """List every moment that a clip of the used seconds reads.

    Args:
        data: The data set.
        sampling: Which frames make a clip.

    Returns:
        Seconds since a video's first frame, ascending.
    """
    moments = [data.clock.seconds_in_video(tick) for tick in data.used_ticks]
    return np.unique(np.round(np.concatenate([sampling.times(moment) for moment in moments]), 6))


def make_cache(
    data: AvaSettings, clips: ClipSettings, video_ids: Sequence[str], recipe: CacheRecipe, *, num_workers: int
) -> Iterator[CachedFile | VideoFailure]:
    """Cache videos into `data.cache_dir`; a file that is there is verified, and made anew if its recipe was another.

    Args:
        data: Where the videos and the cache lie, and which seconds are used.
        clips: How clips are cut, hence which frames are stored.
        video_ids: The videos.
        recipe: How frames are stored.
        num_workers: Processes; 0: this one does it all.

    Yields:
        Each video as it is done.
    """
    if data.cache_dir is not None:
        remove_abandoned(Path(data.cache_dir))
    if num_workers < 1:
        yield from (_cache_video(data, clips, video_id, recipe) for video_id in video_ids)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_workers, context, initializer=serve, initargs=(os.getpid(),)) as pool:
        futures = [pool.submit(_cache_video, data, clips, video_id, recipe) for video_id in video_ids]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:  # an end that was asked for does not wait for the videos in hand, which may take minutes
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def _cache_video(
    data: AvaSettings, clips: ClipSettings, video_id: str, recipe: CacheRecipe
) -> CachedFile | VideoFailure:
    source = "video" if data.source == "cache" else data.source
    made_from = _made_from(data, clips, video_id, recipe, source)
    try:
        cached = replace(data, source="cache").videos.open(video_id)
        assert isinstance(cached, CachedVideo)
        path = cached.path
        if path.is_file() and _is_valid(cached, made_from):
            return CachedFile(video_id, path.stat().st_size, was_there=True)
        _refuse_links_out(path.parent, Path(data.cache_dir or ""))
        path.parent.mkdir(parents=True, exist_ok=True)
        video = replace(data, source=source).videos.open(video_id)
        size = write_cache(
            path,
            video,
            touched_moments(data, clips.sampling),
            short_side=recipe.short_side,
            quality=recipe.quality,
            made_from=made_from,
        )
        return CachedFile(video_id, size, was_there=False)
    except (InputError, OSError) as error:
        return VideoFailure(video_id, str(error))


def _made_from(
    data: AvaSettings, clips: ClipSettings, video_id: str, recipe: CacheRecipe, source: str
) -> dict[str, object]:
    """What decides the content of a cache file, as it is written into it."""
    made_from = {"video_id": video_id, "short_side": recipe.short_side, "quality": recipe.quality, "source": source}
    made_from |= {name: getattr(clips, name) for name in _OF_CLIPS} | {name: getattr(data, name) for name in _OF_DATA}
    if source == "frames":  # left out where it is usual: files that were made before need not be made again
        usual = {"first_frame_number": 1, "frame_prefix": None}
        made_from |= {name: value for name in usual if (value := getattr(data, name)) != usual[name]}
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
