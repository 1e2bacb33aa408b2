"""Evaluation and extraction clips: every video decoded once, front to back, in batches of one video.

Videos, not clips, are dealt to ranks and workers. A batch's clips are of one video, hence of one size: no padding
enters the features, and what a batch holds does not depend on how many processes there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from lfb_lightning.data.ava_data import AvaData
from lfb_lightning.data.batching import deal_longest_first
from lfb_lightning.data.collate import collate
from lfb_lightning.errors import InputError
from lfb_lightning.structures import ClipBatch, Keyframe, Proposals, Sample, VideoFailure


class StreamedClips(IterableDataset[ClipBatch | VideoFailure]):
    """Yields the batches of a rank's videos, each video's in order, and a `VideoFailure` for one that breaks off.

    `persons(keyframe)` gives the boxes; `on_error="stop"` raises instead of yielding a failure.
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
    ) -> None:
        self._data = data
        self._persons = persons
        self._on_error = on_error
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

    def __iter__(self) -> Iterator[ClipBatch | VideoFailure]:
        worker = get_worker_info()
        number, index = (worker.num_workers, worker.id) if worker is not None else (1, 0)
        lengths = {name: len(keyframes) for name, keyframes in self.keyframes.items()}
        for video_id in deal_longest_first(lengths, number)[index]:
            try:
                yield from self._batches(video_id)
            except InputError as error:
                if self._on_error == "stop":
                    raise
                yield VideoFailure(video_id, str(error))

    def _batches(self, video_id: str) -> Iterator[ClipBatch]:
        keyframes = self.keyframes[video_id]
        sampling = self._data.clip_sampling
        clip_times = np.stack([sampling.times(keyframe.timestamp) for keyframe in keyframes])
        samples = map(self._sample, keyframes, self._data.videos.open(video_id).stream(clip_times))
        while batch := list(islice(samples, self._data.batch_size)):
            yield collate(batch)

    def _sample(self, keyframe: Keyframe, frames: np.ndarray) -> Sample:
        persons = self._persons(keyframe)
        clip, rois, _ = self._data.eval_transform(frames, persons.boxes)
        return Sample(
            keyframe=keyframe,
            clip=clip,
            rois=rois,
            boxes=torch.from_numpy(persons.boxes),
            scores=torch.from_numpy(persons.scores),
        )
