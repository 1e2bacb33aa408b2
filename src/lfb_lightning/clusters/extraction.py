"""Features of many videos on a cluster: tasks decode, actors compute, and the caller gets them video by video."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from lfb_lightning.clusters.decoding import Reading, read_videos
from lfb_lightning.clusters.describing import Describer, Describing
from lfb_lightning.clusters.pool import pool_of
from lfb_lightning.clusters.records import Record, from_table
from lfb_lightning.clusters.session import Cluster, hushed
from lfb_lightning.clusters.settings import RayEngine
from lfb_lightning.structures import Item, PersonFeatures, VideoFailure


def features_of_videos(
    cluster: Cluster,
    engine: RayEngine,
    reading: Reading,
    describing: Describing,
    *,
    allows_gpu: bool,
    progress: Callable[[str, int], None],
) -> Iterator[PersonFeatures | VideoFailure]:
    """Compute the features of videos.

    Args:
        cluster: Where.
        engine: The command's settings.
        reading: Which videos, and how they are read.
        describing: What computes.
        allows_gpu: Whether GPUs are used where there are some.
        progress: Called with a video and the number of its clips whose features have come.

    Yields:
        The batches of a video, in order of time, as soon as all of them are there; for a video that cannot be had, why.

    Raises:
        RuntimeError: There is a fault in the program, in a task or an actor; the message has its traceback.
    """
    stored = _Stored(cluster.ray.put(reading), cluster.ray.put(describing))
    videos = _VideosInHand(reading, progress)
    for retries in engine.rounds():
        if not (left := videos.left()):
            return
        for record in _records(cluster, engine, stored, left, retries=retries, allows_gpu=allows_gpu):
            yield from videos.take(record)
    for name in videos.left():
        yield VideoFailure(name, engine.gave_up(name))


@dataclass(frozen=True, slots=True)
class _Stored:
    """References that are kept until the end: a process that is started again asks for them."""

    reading: Any
    describing: Any


def _records(
    cluster: Cluster, engine: RayEngine, stored: _Stored, video_ids: Sequence[str], *, retries: int, allows_gpu: bool
) -> Iterator[Record]:
    """Send videos through the cluster once; what is lost there too often is not among the records."""
    pool = pool_of(cluster, engine, allows_gpu=allows_gpu)
    with hushed():
        batches = cluster.videos(video_ids).map_batches(
            partial(read_videos, reading=stored.reading),
            batch_size=None,
            batch_format="pyarrow",
            num_cpus=engine.cpus_per_decode,
            max_retries=retries,
        )
        features = batches.map_batches(
            Describer,
            fn_constructor_kwargs={"describing": stored.describing, "on_gpu": pool.gpus > 0},
            batch_size=1,
            batch_format="pyarrow",
            compute=pool.strategy(cluster.ray),
            num_cpus=pool.cpus,
            num_gpus=pool.gpus,
            max_task_retries=retries,
        )
    for table in features.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0):
        record = from_table(table)
        if record is not None:
            yield record


@dataclass
class _VideosInHand:
    """Puts the batches of videos in order, which come in any."""

    reading: Reading
    progress: Callable[[str, int], None]
    parts: dict[str, dict[int, Tensor]] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)

    def take(self, record: Record) -> Iterator[PersonFeatures | VideoFailure]:
        name = record.video_id
        if record.is_fault:
            raise RuntimeError(f"video {name}, in another process:\n{record.failure}")
        if name in self.ended:
            return
        if record.failure:
            self.ended.add(name)
            self.parts.pop(name, None)
            yield VideoFailure(name, record.failure)
            return
        parts = self.parts.setdefault(name, {})
        if record.number in parts:
            return
        self.progress(name, len(self._items(name, record.number)))
        parts[record.number] = record.tensors["features"].clone()  # the cluster's memory is given back
        batches = -(-len(self.reading.items[name]) // self.reading.batch_size)
        if len(parts) == batches:
            self.ended.add(name)
            del self.parts[name]
            for number in range(batches):
                yield self._features(name, number, parts[number])

    def left(self) -> list[str]:
        """List the videos of which something is missing, the longest first."""
        items = self.reading.items
        return sorted(items.keys() - self.ended, key=lambda name: (-len(items[name]), name))

    def _features(self, video_id: str, number: int, features: Tensor) -> PersonFeatures:
        items = self._items(video_id, number)
        persons = [self.reading.regions(item) for item in items]
        return PersonFeatures(
            keyframes=[item.keyframe for item in items],
            clip_of_roi=torch.repeat_interleave(torch.tensor([len(one) for one in persons])),
            boxes=torch.cat([torch.from_numpy(one.boxes) for one in persons]),
            scores=torch.cat([torch.from_numpy(one.scores) for one in persons]),
            features=features,
        )

    def _items(self, video_id: str, number: int) -> Sequence[Item]:
        size = self.reading.batch_size
        return self.reading.items[video_id][number * size : (number + 1) * size]
