"""The task that reads one video's clips, in a process that knows no model."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from lfb_lightning.clips import ClipSettings
from lfb_lightning.clusters.place import stand_in
from lfb_lightning.clusters.records import Record, to_table
from lfb_lightning.datasets.bank_split import BankSplit
from lfb_lightning.datasets.video_batches import video_batches
from lfb_lightning.errors import InputError
from lfb_lightning.structures import ClipBatch, Item, Proposals


@dataclass(frozen=True, slots=True)
class Reading:
    """What a task has to know to read any video of a split.

    Args:
        split: Where the videos are.
        items: What is read of each, in order of time.
        regions: Gives the regions of an item.
        clips: How clips are cut and shown.
        batch_size: Clips per batch.
        outside_video: As `video_batches` has it.
        folder: The command's working directory.
    """

    split: BankSplit
    items: Mapping[str, Sequence[Item]]
    regions: Callable[[Item], Proposals]
    clips: ClipSettings
    batch_size: int
    outside_video: str
    folder: str

    def records(self, video_id: str) -> Iterator[Record]:
        """Read a video's batches; the last record of one that breaks off says why."""
        number = 0
        try:
            for batch in video_batches(
                self.split,
                self.items[video_id],
                self.regions,
                sampling=self.clips.sampling,
                views=[self.clips.eval_view],
                batch_size=self.batch_size,
                outside_video=self.outside_video,
            ):
                assert isinstance(batch, ClipBatch)
                assert batch.clips is not None
                yield Record(video_id, number, {"clips": batch.clips, "rois": batch.rois})
                number += 1
        except InputError as error:
            yield Record(video_id, number, {}, failure=str(error))
        except Exception:  # a fault of a data set's code ends the run, as in one process, and is not tried again
            yield Record(video_id, number, {}, failure=traceback.format_exc(), is_fault=True)


def read_videos(table: Any, *, reading: Any) -> Iterator[Any]:
    """Read videos: the function that Ray Data runs as a task.

    Args:
        table: The videos: a column `video_id`.
        reading: Reference to a stored `Reading`.

    Yields:
        A table for each batch of clips, in order.
    """
    torch.set_num_threads(1)  # there are as many tasks as there are cores for them
    known = _fetched(reading)
    for video_id in table.column("video_id").to_pylist():
        for record in known.records(video_id):
            yield to_table(record)


@lru_cache(maxsize=1)
def _fetched(reference: Any) -> Reading:
    """Fetch what is the same for all tasks of a process once: a data set's tables can be large."""
    import ray

    reading: Reading = ray.get(reference)
    stand_in(reading.folder)
    return reading


def items_of_videos(items: Sequence[Item]) -> Mapping[str, Sequence[Item]]:
    """Group items by video, each video's in order of time, as one process reads them.

    Args:
        items: In any order.
    """
    by_video: dict[str, list[Item]] = {}
    for item in sorted(items, key=lambda item: (item.keyframe, item.number)):
        by_video.setdefault(item.keyframe.video_id, []).append(item)
    return by_video
