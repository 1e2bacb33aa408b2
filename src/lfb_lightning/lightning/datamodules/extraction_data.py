"""Streams the videos of a split that a bank does not hold yet."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader

from lfb_lightning.bank import BankConfig, BankWriter
from lfb_lightning.bank.claims import VideoClaims
from lfb_lightning.clips.normalize import normalize
from lfb_lightning.datasets import AvaData, BankKeyframes, Split
from lfb_lightning.errors import InputError
from lfb_lightning.lightning.datamodules.loader_workers import WorkerStart
from lfb_lightning.lightning.datamodules.streamed_clips import StreamedClips
from lfb_lightning.structures import ClipBatch, Keyframe, VideoFailure


class ExtractionDataModule(LightningDataModule):
    """The bank's keyframes, video by video, dealt to ranks and workers; finished videos are left out."""

    def __init__(self, data: AvaData, split: str, bank: BankConfig, writer: BankWriter) -> None:
        super().__init__()
        self.data = data
        self.split = Split(data, split)
        self.bank = bank
        self.writer = writer
        self._chosen = BankKeyframes(self.split, bank.keyframes)
        self._keyframes: list[Keyframe] = []
        self.todo: dict[str, int] = {}

    @property
    def video_ids(self) -> list[str]:
        """Every video that the finished bank holds."""
        return sorted({keyframe.video_id for keyframe in self._keyframes})

    def setup(self, stage: str) -> None:
        """List the keyframes; agree among the ranks on what is left to do."""
        self._keyframes = self._chosen.keyframes()
        if not self._keyframes:
            raise InputError(
                f"split {self.split.name}: no second to extract; see data.first_second, data.last_second, "
                "data.bank_threshold and bank.keyframes."
            )
        left = [video_id for video_id in self.video_ids if not self.writer.is_finished(video_id)]
        self._refuse_other_persons(set(left))
        if self.trainer is not None:  # a rank that looks later may find more finished: all take the first one's list
            left = self.trainer.strategy.broadcast(left)
        counts = Counter(keyframe.video_id for keyframe in self._keyframes)
        self.todo = {video_id: counts[video_id] for video_id in left}

    def _refuse_other_persons(self, left: set[str]) -> None:
        """Raise InputError where a finished video is of other persons or seconds than are asked for now."""
        finished: dict[str, list[Keyframe]] = {}
        for keyframe in sorted(self._keyframes):
            if keyframe.video_id not in left:
                finished.setdefault(keyframe.video_id, []).append(keyframe)
        for video_id, keyframes in finished.items():
            persons = [self._chosen.persons(keyframe) for keyframe in keyframes]
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
        rank, world_size, ranks_here = 0, 1, 1
        if self.trainer is not None:
            rank, world_size, ranks_here = self.trainer.global_rank, self.trainer.world_size, self.trainer.num_devices
        clips = StreamedClips(
            self.data,
            [keyframe for keyframe in self._keyframes if keyframe.video_id in self.todo],
            self._chosen.persons,
            rank=rank,
            world_size=world_size,
            on_error=self.bank.on_error,
            outside_video=self.bank.outside_video,
            claims=VideoClaims(self.writer),
        )
        return DataLoader(
            clips,
            batch_size=None,
            num_workers=self.data.num_workers,
            worker_init_fn=WorkerStart(self.data.num_workers * ranks_here),
            pin_memory=torch.cuda.is_available(),
        )

    def on_after_batch_transfer(self, batch: ClipBatch | VideoFailure, dataloader_idx: int) -> ClipBatch | VideoFailure:
        """Normalise the clips on the device."""
        return normalize(batch, mean=self.data.mean, std=self.data.std) if isinstance(batch, ClipBatch) else batch
