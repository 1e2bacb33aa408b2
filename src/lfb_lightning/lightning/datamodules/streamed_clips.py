"""Evaluation and extraction clips: every video decoded once, front to back, in batches of one video.

Videos, not clips, are dealt to ranks and workers. A batch's clips are of one video, hence of one size: no padding
enters the features, and what a batch holds does not depend on how many processes there are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from torch.utils.data import IterableDataset, get_worker_info

from lfb_lightning.bank.claims import VideoClaims
from lfb_lightning.clips.sampling import ClipPart, ClipSampling
from lfb_lightning.clips.views import View
from lfb_lightning.datasets import BankSplit
from lfb_lightning.datasets.video_batches import video_batches
from lfb_lightning.errors import InputError
from lfb_lightning.lightning.datamodules.batching import deal_longest_first
from lfb_lightning.structures import ClipBatch, Item, Proposals, VideoFailure, ViewBatch

# After a run was killed, its loader's workers live for some seconds more and hold its claims.
_PATIENCE_SECONDS = 10.0


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
        return video_batches(
            self._split,
            self.items[video_id],
            self._regions,
            sampling=self._sampling,
            views=self._views,
            batch_size=self._batch_size,
            reduce=self._reduce,
            outside_video=self._outside_video,
            parts=self._parts,
        )
