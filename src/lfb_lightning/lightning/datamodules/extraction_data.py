"""Streams the videos of a split that a bank does not hold yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader

from lfb_lightning.bank import BankConfig, BankWriter
from lfb_lightning.bank.claims import VideoClaims
from lfb_lightning.bank.shard import Shard
from lfb_lightning.clips import ClipSettings
from lfb_lightning.clips.normalize import normalize
from lfb_lightning.datasets import BankSplit
from lfb_lightning.errors import InputError
from lfb_lightning.lightning.datamodules.loader_workers import WorkerStart, useful_workers
from lfb_lightning.lightning.datamodules.loading import Loading
from lfb_lightning.lightning.datamodules.streamed_clips import StreamedClips
from lfb_lightning.structures import ClipBatch, Item, Keyframe, Proposals, VideoFailure


class ExtractionDataModule(LightningDataModule):
    """The bank's keyframes, video by video, dealt to ranks and workers; finished videos are left out.

    Args:
        split: Whose bank is written.
        clips: How clips are cut and shown.
        loading: How they become batches.
        bank: Which keyframes are chosen, and what happens to a video that cannot be read.
        writer: Knows which videos are finished.
        shard: Which of the split's videos are this run's.
    """

    def __init__(
        self,
        split: BankSplit,
        *,
        clips: ClipSettings,
        loading: Loading,
        bank: BankConfig,
        writer: BankWriter,
        shard: Shard | None = None,
    ) -> None:
        super().__init__()
        self.split = split
        self.clips = clips
        self.loading = loading
        self.bank = bank
        self.writer = writer
        self.shard = shard or Shard()
        self._keyframes: Sequence[Keyframe] = []
        self.todo: dict[str, int] = {}

    @property
    def video_ids(self) -> list[str]:
        """List every video that the finished bank is to hold."""
        return sorted({keyframe.video_id for keyframe in self._keyframes})

    @property
    def own_video_ids(self) -> list[str]:
        """List those of them that are this run's."""
        return self.shard.share(self.video_ids)

    def setup(self, stage: str) -> None:
        """List the keyframes, and agree among the ranks on what is left to do."""
        self._keyframes = self.split.bank_keyframes(self.bank.keyframes)
        if not self._keyframes:
            raise InputError(
                f"split {self.split.name}: no second to extract; see data.first_second, data.last_second, "
                "data.bank_threshold and bank.keyframes."
            )
        left = [video_id for video_id in self.own_video_ids if not self.writer.is_finished(video_id)]
        self._refuse_other_persons(set(self.own_video_ids) - set(left))
        if self.trainer is not None:  # a rank that looks later may find more finished: all take the first one's list
            left = self.trainer.strategy.broadcast(left)
        counts = Counter(keyframe.video_id for keyframe in self._keyframes)
        self.todo = {video_id: counts[video_id] for video_id in left}

    def _refuse_other_persons(self, video_ids: set[str]) -> None:
        """Raise InputError for a finished video whose persons or seconds are not those that are asked for now."""
        finished: dict[str, list[Keyframe]] = {}
        for keyframe in sorted(self._keyframes):
            if keyframe.video_id in video_ids:
                finished.setdefault(keyframe.video_id, []).append(keyframe)
        for video_id, keyframes in finished.items():
            persons = [self.split.bank_regions(keyframe, self.bank.keyframes) for keyframe in keyframes]
            if not self.writer.is_of(
                video_id,
                timestamps=np.repeat([keyframe.timestamp for keyframe in keyframes], [len(one) for one in persons]),
                boxes=np.concatenate([one.boxes for one in persons]),
                scores=np.concatenate([one.scores for one in persons]),
            ):
                raise InputError(
                    f"bank file {self.writer.path(video_id)}: holds other persons or seconds than are asked for now "
                    "(data.proposals, data.excluded, data.first_second, data.last_second, data.key_step); choose another "
                    f"bank.dir, or delete {self.writer.folder}."
                )

    def predict_dataloader(self) -> DataLoader[Any]:
        """Batches of this rank's unfinished videos."""
        rank, world_size, ranks_here, gpu = 0, 1, 1, False
        if self.trainer is not None:
            rank, world_size, ranks_here = self.trainer.global_rank, self.trainer.world_size, self.trainer.num_devices
            gpu = self.trainer.strategy.root_device.type != "cpu"
        left = [keyframe for keyframe in self._keyframes if keyframe.video_id in self.todo]
        streamed = StreamedClips(
            self.split,
            [Item(number, keyframe) for number, keyframe in enumerate(left)],
            partial(_stored_regions, self.split, self.bank.keyframes),
            sampling=self.clips.sampling,
            views=[self.clips.eval_view],
            batch_size=self.loading.batch_size,
            rank=rank,
            world_size=world_size,
            on_error=self.bank.on_error,
            outside_video=self.bank.outside_video,
            claims=VideoClaims(self.writer),
        )
        workers = useful_workers(
            self.loading.num_workers, ranks_here=ranks_here, videos=len(streamed.items), beside_gpu=gpu
        )
        return DataLoader(
            streamed,
            batch_size=None,
            num_workers=workers,
            worker_init_fn=WorkerStart(workers * ranks_here),
            pin_memory=torch.cuda.is_available(),
        )

    def on_after_batch_transfer(self, batch: ClipBatch | VideoFailure, dataloader_idx: int) -> ClipBatch | VideoFailure:
        """Normalize the clips on the device."""
        if isinstance(batch, VideoFailure):
            return batch
        return normalize(batch, mean=self.clips.mean, std=self.clips.std)


def _stored_regions(split: BankSplit, choice: str, item: Item) -> Proposals:
    return split.bank_regions(item.keyframe, choice)
