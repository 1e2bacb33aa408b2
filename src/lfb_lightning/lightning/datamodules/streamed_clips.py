"""Evaluation and extraction clips: every video decoded once, front to back, in batches of one video.

Videos, not clips, are dealt to ranks and workers. A batch's clips are of one video, hence of one size: no padding
enters the features, and what a batch holds does not depend on how many processes there are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from jaxtyping import Float64
from torch.utils.data import IterableDataset, get_worker_info

from lfb_lightning.bank.claims import VideoClaims
from lfb_lightning.clips import collate
from lfb_lightning.clips.reading import Clip, clips
from lfb_lightning.clips.sampling import ClipPart, ClipSampling
from lfb_lightning.clips.views import View
from lfb_lightning.clock import Clock
from lfb_lightning.datasets import BankSplit
from lfb_lightning.errors import InputError
from lfb_lightning.lightning.datamodules.batching import deal_longest_first
from lfb_lightning.structures import ClipBatch, Item, Proposals, Sample, VideoFailure, ViewBatch

# After a run was killed, its loader's workers live for some seconds more and hold its claims.
_PATIENCE_SECONDS = 10.0
_REMEDY = (
    "cut the video again, exclude them, set data.origin_second, or take nearest frames with bank.outside_video=clamp."
)


class StreamedClips(IterableDataset[ClipBatch | ViewBatch | VideoFailure]):
    """Yields the batches of a rank's videos, each video's in order, and a `VideoFailure` for one that breaks off.

    Args:
        split: Where the videos are and where their keyframes lie.
        items: What is read, in any order; views of one item are entries of one number.
        regions: Gives the regions of an item.
        sampling: Which frames make a clip.
        views: The ways in which each clip is shown; with more than one, batches are `ViewBatch`es.
        batch_size: Clips per batch.
        reduce: How the scores of several views become one: see `ViewBatch`.
        rank: Number of this process.
        world_size: Number of processes.
        on_error: `stop` raises where `skip` yields a failure.
        outside_video: `clamp` shows the nearest frame for a keyframe outside of its video, as the LFB authors' code and
            mmaction2 do; `fail` makes the video fail.
        claims: Asked before each video where other runs may work on the same ones; a video that it refuses is asked for
            again at the end, and then left to them.
        parts: Tells what the clip of an item does not leave; None: any frame of its video may be shown.
    """

    def __init__(
        self,
        split: BankSplit,
        items: Sequence[Item],
        regions: Callable[[Item], Proposals],
        *,
        sampling: ClipSampling,
        views: Sequence[View],
        batch_size: int,
        reduce: str = "mean",
        rank: int = 0,
        world_size: int = 1,
        on_error: str = "stop",
        outside_video: str = "clamp",
        claims: VideoClaims | None = None,
        parts: Callable[[Item], ClipPart | None] | None = None,
    ) -> None:
        self._split = split
        self._regions = regions
        self._sampling = sampling
        self._views = views
        self._batch_size = batch_size
        self._reduce = reduce
        self._on_error = on_error
        self._outside_video = outside_video
        self._claims = claims
        self._parts = parts
        by_video: dict[str, list[Item]] = {}
        for item in sorted(items, key=lambda item: (item.keyframe, item.number)):
            by_video.setdefault(item.keyframe.video_id, []).append(item)
        mine = deal_longest_first({name: len(rows) for name, rows in by_video.items()}, world_size)[rank]
        self.items = {name: by_video[name] for name in mine}

    def __len__(self) -> int:
        """Count the batches of this rank, if nothing fails; at least 1.

        Lightning leaves a rank of length 0 out of its loops, and the other ranks would wait for it.
        """
        return max(1, sum(-(-len(items) // self._batch_size) for items in self.items.values()))

    def __iter__(self) -> Iterator[ClipBatch | ViewBatch | VideoFailure]:
        worker = get_worker_info()
        number, index = (worker.num_workers, worker.id) if worker is not None else (1, 0)
        lengths = {name: len(items) for name, items in self.items.items()}
        mine = deal_longest_first(lengths, number)[index]
        refused: list[str] = []
        try:
            for video_id in mine:
                yield from self._video(video_id, refused)
            until = time.monotonic() + _PATIENCE_SECONDS
            for video_id in refused:  # whoever had it has finished it, is still at it, or is dead
                yield from self._video(video_id, [], patience=max(0.0, until - time.monotonic()))
        finally:
            if self._claims is not None:
                self._claims.end()

    def _video(
        self, video_id: str, refused: list[str], *, patience: float = 0.0
    ) -> Iterator[ClipBatch | ViewBatch | VideoFailure]:
        """Read a video's batches; of one that another run has claimed or finished, only add the id to `refused`."""
        try:
            if self._claims is None or self._claims.begin(video_id, patience=patience):
                yield from self._batches(video_id)
            else:
                refused.append(video_id)
        except InputError as error:
            if self._on_error == "stop":
                raise
            yield VideoFailure(video_id, str(error))

    def _batches(self, video_id: str) -> Iterator[ClipBatch | ViewBatch]:
        items, times = self._timed(self.items[video_id])
        video = self._split.video(video_id)
        clock = self._split.clock
        reach = 0.0
        if self._outside_video == "fail":
            refuse_outside(items, clock, video.properties().seconds, getattr(self._split, "outside_remedy", _REMEDY))
            reach = max(clock.seconds_in_video(item.keyframe.timestamp) for item in items)
        regions = [self._regions(item) for item in items]
        boxes = [one.boxes for one in regions]
        read = clips(video, times, boxes, views=self._views, reach=reach)
        shown = zip(items, regions, read, strict=True)
        while batch := list(islice(shown, self._batch_size)):
            samples = [[_sample(item, found, clip) for clip in ways] for item, found, ways in batch]
            views = tuple(collate([ways[view] for ways in samples]) for view in range(len(self._views)))
            if len(views) == 1:
                yield views[0]
                continue
            inside = [torch.cat([ways[view].inside for _, _, ways in batch]) for view in range(len(views))]
            groups = [number // self._views[0].crops for number in range(len(views))]
            yield ViewBatch(views=views, inside=torch.stack(inside), groups=groups, reduce=self._reduce)

    def _timed(self, items: Sequence[Item]) -> tuple[list[Item], Float64[np.ndarray, "N T"]]:
        """The times of the clips of a video's items, in the order in which a video is read: by their last frame."""
        moments = [self._split.clock.seconds_in_video(item.keyframe.timestamp) for item in items]
        parts = [None if self._parts is None else self._parts(item) for item in items]
        times = np.stack([self._sampling.times(*one) for one in zip(moments, parts, strict=True)])
        order = np.argsort(times[:, -1], kind="stable")
        return [items[place] for place in order.tolist()], times[order]


def _sample(item: Item, regions: Proposals, clip: Clip) -> Sample:
    return Sample(
        keyframe=item.keyframe,
        clip=clip.pixels,
        rois=clip.rois,
        boxes=torch.from_numpy(regions.boxes),
        scores=torch.from_numpy(regions.scores),
        item=item.number,
    )


def refuse_outside(items: Sequence[Item], clock: Clock, length: float, remedy: str = _REMEDY) -> None:
    """Refuse keyframes outside of their video.

    Args:
        items: Of one video.
        clock: What their timestamps count, and the second at which the video begins.
        length: Seconds that the video lasts; 0: not known.
        remedy: What to do, the end of the message.

    Raises:
        InputError: Some lie outside; the message names the first and the keys to set.
    """
    ticks = [item.keyframe.timestamp for item in items]
    outside = [tick for tick in ticks if not 0 <= clock.seconds_in_video(tick) <= length]
    if length > 0 and outside:
        origin = float(clock.origin)
        raise InputError(
            f"video {items[0].keyframe.video_id}: {len(outside)} of {len(items)} keyframes lie outside of it (the first at "
            f"{float(clock.seconds(outside[0])):g} s; it covers {origin:g} to {origin + length:.1f} s); {remedy}"
        )
