"""Evaluation and extraction clips: every video decoded once, front to back, in batches of one video.

Videos, not clips, are dealt to ranks and workers. A batch's clips are of one video, hence of one size: no padding
enters the features, and what a batch holds does not depend on how many processes there are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import IterableDataset, get_worker_info

from lfb_lightning.bank.claims import VideoClaims
from lfb_lightning.clips.collate import collate
from lfb_lightning.clips.views import View
from lfb_lightning.datasets.ava.config import AvaData
from lfb_lightning.errors import InputError
from lfb_lightning.lightning.datamodules.batching import deal_longest_first
from lfb_lightning.structures import ClipBatch, Keyframe, Proposals, Sample, VideoFailure, ViewBatch

# A run that was killed lives on in its loader's workers for some seconds, with their claims.
_PATIENCE_SECONDS = 10.0
Show = Callable[[np.ndarray, np.ndarray], tuple[Tensor, Tensor, Tensor]]


class StreamedClips(IterableDataset[ClipBatch | ViewBatch | VideoFailure]):
    """Yields the batches of a rank's videos, each video's in order, and a `VideoFailure` for one that breaks off.

    `persons(keyframe)` gives the boxes; `on_error="stop"` raises instead of yielding a failure. With `views`, batches show
    their keyframes in each of them. A keyframe before the start or after the end of its video shows the nearest frame
    (`outside_video="clamp"`, the peers' behaviour) or makes the video fail (`"fail"`). Where others may work on the same
    videos, `claims` is asked before each; one that it refuses is asked for again at the end, and then left to them.
    """

    def __init__(
        self,
        data: AvaData,
        keyframes: list[Keyframe],
        persons: Callable[[Keyframe], Proposals],
        *,
        rank: int = 0,
        world_size: int = 1,
        on_error: str = "stop",
        views: list[View] | None = None,
        outside_video: str = "clamp",
        claims: VideoClaims | None = None,
    ) -> None:
        self._claims = claims
        self._data = data
        self._persons = persons
        self._on_error = on_error
        self._views = views
        self._outside_video = outside_video
        by_video: dict[str, list[Keyframe]] = {}
        for keyframe in sorted(keyframes):
            by_video.setdefault(keyframe.video_id, []).append(keyframe)
        mine = deal_longest_first({name: len(rows) for name, rows in by_video.items()}, world_size)[rank]
        self.keyframes = {name: by_video[name] for name in mine}

    def __len__(self) -> int:
        """Batches of this rank, if nothing fails; 1 for none, since Lightning leaves a rank of length 0 out of its loops
        and the others would wait for it.
        """
        return max(1, sum(-(-len(keyframes) // self._data.batch_size) for keyframes in self.keyframes.values()))

    def __iter__(self) -> Iterator[ClipBatch | ViewBatch | VideoFailure]:
        worker = get_worker_info()
        number, index = (worker.num_workers, worker.id) if worker is not None else (1, 0)
        lengths = {name: len(keyframes) for name, keyframes in self.keyframes.items()}
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
        """A video's batches; none, but its id in `refused`, where somebody else has claimed or finished it."""
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
        keyframes = self.keyframes[video_id]
        video = self._data.videos.open(video_id)
        reach = 0.0
        if self._outside_video == "fail":
            refuse_outside(keyframes, video.properties().seconds, self._data.origin_second)
            reach = keyframes[-1].timestamp - self._data.origin_second
        sampling = self._data.clip_sampling
        clip_times = np.stack([sampling.times(keyframe.timestamp) for keyframe in keyframes])
        clips = zip(keyframes, video.stream(clip_times, reach=reach), strict=True)
        while batch := list(islice(clips, self._data.batch_size)):
            if self._views is None:
                yield collate(
                    [self._sample(keyframe, frames, self._data.eval_transform)[0] for keyframe, frames in batch]
                )
            else:
                yield self._view_batch(batch, self._views)

    def _view_batch(self, batch: list[tuple[Keyframe, np.ndarray]], views: list[View]) -> ViewBatch:
        shown = [[self._sample(keyframe, frames, view) for keyframe, frames in batch] for view in views]
        return ViewBatch(
            views=tuple(collate([sample for sample, _ in samples]) for samples in shown),
            inside=torch.stack([torch.cat([inside for _, inside in samples]) for samples in shown]),
            groups=[number // views[0].crops for number in range(len(views))],
        )

    def _sample(self, keyframe: Keyframe, frames: np.ndarray, show: Show) -> tuple[Sample, Tensor]:
        persons = self._persons(keyframe)
        clip, rois, inside = show(frames, persons.boxes)
        sample = Sample(
            keyframe=keyframe,
            clip=clip,
            rois=rois,
            boxes=torch.from_numpy(persons.boxes),
            scores=torch.from_numpy(persons.scores),
        )
        return sample, inside


def refuse_outside(keyframes: list[Keyframe], length: float, origin_second: float) -> None:
    """Raise InputError unless one video's keyframes lie within its `length` seconds (0: not known)."""
    outside = [keyframe for keyframe in keyframes if not 0 <= keyframe.timestamp - origin_second <= length]
    if length > 0 and outside:
        raise InputError(
            f"video {keyframes[0].video_id}: {len(outside)} of {len(keyframes)} keyframes lie outside of it (the first at "
            f"{outside[0].timestamp} s; it covers {origin_second:g} to {origin_second + length:.1f} s); cut the video "
            "again, exclude them, set data.origin_second, or take the nearest frames with bank.outside_video=clamp."
        )
