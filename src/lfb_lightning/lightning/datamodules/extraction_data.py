"""Streams the videos of a split that a bank does not hold yet."""

from __future__ import annotations

from typing import Any

import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader

from lfb_lightning.bank import BankConfig
from lfb_lightning.bank.claims import VideoClaims
from lfb_lightning.clips import ClipSettings
from lfb_lightning.clips.normalize import normalize
from lfb_lightning.datasets.bank_plan import BankPlan
from lfb_lightning.lightning.datamodules.loader_workers import WorkerStart, useful_workers, worker_start
from lfb_lightning.lightning.datamodules.loading import Loading
from lfb_lightning.lightning.datamodules.streamed_clips import StreamedClips
from lfb_lightning.structures import ClipBatch, VideoFailure


class ExtractionDataModule(LightningDataModule):
    """The bank's keyframes, video by video, dealt to ranks and workers; finished videos are left out.

    Args:
        plan: What there is to do for the bank.
        clips: How clips are cut and shown.
        loading: How they become batches.
        bank: What happens to a video that cannot be read.
    """

    def __init__(self, plan: BankPlan, *, clips: ClipSettings, loading: Loading, bank: BankConfig) -> None:
        super().__init__()
        self.plan = plan
        self.clips = clips
        self.loading = loading
        self.bank = bank

    def setup(self, stage: str) -> None:
        """Agree among the ranks on what is left to do."""
        self.plan.look(list if self.trainer is None else self.trainer.strategy.broadcast)

    def predict_dataloader(self) -> DataLoader[Any]:
        """Batches of this rank's unfinished videos."""
        rank, world_size, ranks_here, gpu = 0, 1, 1, False
        if self.trainer is not None:
            rank, world_size, ranks_here = self.trainer.global_rank, self.trainer.world_size, self.trainer.num_devices
            gpu = self.trainer.strategy.root_device.type != "cpu"
        streamed = StreamedClips(
            self.plan.split,
            self.plan.items,
            self.plan.regions,
            sampling=self.clips.sampling,
            views=[self.clips.eval_view],
            batch_size=self.loading.batch_size,
            rank=rank,
            world_size=world_size,
            on_error=self.bank.on_error,
            outside_video=self.bank.outside_video,
            claims=VideoClaims(self.plan.writer),
        )
        workers = useful_workers(
            self.loading.num_workers, ranks_here=ranks_here, videos=len(streamed.items), beside_gpu=gpu
        )
        return DataLoader(
            streamed,
            batch_size=None,
            num_workers=workers,
            multiprocessing_context=worker_start(workers),
            worker_init_fn=WorkerStart(workers * ranks_here),
            pin_memory=torch.cuda.is_available(),
        )

    def on_after_batch_transfer(self, batch: ClipBatch | VideoFailure, dataloader_idx: int) -> ClipBatch | VideoFailure:
        """Normalize the clips on the device."""
        if isinstance(batch, VideoFailure):
            return batch
        return normalize(batch, mean=self.clips.mean, std=self.clips.std)
