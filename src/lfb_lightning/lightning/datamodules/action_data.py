"""Serves clips, their regions and bank windows of any data set.

Training reads clips at random, evaluation streams every video once, and a frozen detector may read its regions' features
from the bank instead of either. Workers never touch the bank's windows: they return keyframes, and the main process
gathers a batch's windows just before the transfer, into pinned memory where there is a GPU (a window that travels
through worker queues costs five to ten times as much).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

from lfb_lightning.bank import BankConfig, FeatureBank
from lfb_lightning.clips import ClipSettings, collate
from lfb_lightning.clips.normalize import normalize
from lfb_lightning.clips.views import View
from lfb_lightning.datasets import ActionDataset, ActionSplit
from lfb_lightning.datasets.clip_parts import parts_of
from lfb_lightning.datasets.tested_items import tested_items
from lfb_lightning.errors import InputError
from lfb_lightning.lightning.datamodules.bank_windows import with_windows
from lfb_lightning.lightning.datamodules.batching import DealtBatches
from lfb_lightning.lightning.datamodules.class_balance import training_weights
from lfb_lightning.lightning.datamodules.loader_workers import WorkerStart, useful_workers, worker_start
from lfb_lightning.lightning.datamodules.loading import Loading
from lfb_lightning.lightning.datamodules.opened_banks import OpenedBanks
from lfb_lightning.lightning.datamodules.resumable_loader import ResumableLoader
from lfb_lightning.lightning.datamodules.stored_persons import StoredPersons
from lfb_lightning.lightning.datamodules.streamed_clips import StreamedClips
from lfb_lightning.lightning.datamodules.training_clips import TrainingClips
from lfb_lightning.structures import BankWindow, BankWindows, ClipBatch, Item, ViewBatch


class ActionDataModule(LightningDataModule):
    """The batches of training, validation and testing.

    Args:
        dataset: What is read.
        clips: How clips are cut and shown.
        loading: How they become batches.
        bank: Where the banks are and which windows are read.
        seed: Of order, augmentation and windows.
        channels: Width of the features that the detector reads from the bank.
        reads_bank: Whether batches carry windows.
        bank_name: Which of the banks windows are read from; None: that of `bank.dir`.
        banks: The width of each bank that windows are read from, where these are several; None: that of `bank_name`.
        own_channels: Width of the detector's own features, in the bank of `bank.dir`; None: `channels`.
        backbone_digest: Digest of the detector's backbone; a bank of another one is refused where it must be the same.
        trained_on: The backbones that made the banks of the detector's training, by the names in `banks`.
        test_split: What `trainer.test` reads.
        reads_identity: Whether windows say which slots show the same person as each region.
    """

    def __init__(
        self,
        dataset: ActionDataset,
        *,
        clips: ClipSettings,
        loading: Loading,
        bank: BankConfig,
        seed: int,
        channels: int,
        reads_bank: bool,
        bank_name: str | None = None,
        banks: Mapping[str, int] | None = None,
        own_channels: int | None = None,
        backbone_digest: str | None = None,
        trained_on: Mapping[str, str] | None = None,
        test_split: str = "val",
        reads_identity: bool = False,
    ) -> None:
        super().__init__()
        self.dataset = dataset
        self.clips = clips
        self.loading = loading
        self.bank_config = bank
        self.seed = seed
        self.reads_bank = reads_bank
        self.test_split = test_split
        self._splits: dict[str, ActionSplit] = {}
        self.banks = OpenedBanks(
            bank,
            seed=seed,
            own_channels=channels if own_channels is None else own_channels,
            channels=channels,
            name=bank_name,
            banks=banks,
            backbone_digest=backbone_digest if bank.strict or loading.short_term == "bank" else None,
            trained_on=trained_on or {},
            identity=reads_identity,
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> ActionDataModule:
        """Return itself: a copy of a task, as averaged weights are kept in one, reads the same data by the same trainer.

        A trainer that has started other ranks cannot be copied.
        """
        return self

    def split(self, name: str) -> ActionSplit:
        """Return a split of the data set, which is made once."""
        if name not in self._splits:
            self._splits[name] = self.dataset.split(name)
        return self._splits[name]

    def bank(self, name: str) -> FeatureBank:
        """Return the bank of a split that windows are read from, the first of several; it is opened once.

        Raises:
            InputError: It is missing, or does not fit the detector.
        """
        return next(iter(self.banks.read(self.split(name)).values()))

    def setup(self, stage: str) -> None:
        """Open what the stage needs, so that what is missing shows before anything is computed."""
        names = {"fit": ["train", "val"], "validate": ["val"], "test": [self.test_split]}.get(stage, [])
        for name in names:
            split = self.split(name)
            _ = split.training_items() if name == "train" else split.evaluation_items()
            if self.loading.short_term == "bank":
                self.banks.own(split)
            if self.reads_bank:
                self.banks.readers(split)

    def train_dataloader(self) -> DataLoader[Any]:
        """Shuffled training batches of this rank."""
        workers = 0 if self.loading.short_term == "bank" else self._workers()
        return self._map_style(self._training_samples, shuffle=True, workers=workers)

    def num_training_batches(self) -> int:
        """Batches of an epoch on this rank."""
        return len(self._dealt(self._training_samples, shuffle=True))

    @cached_property
    def _training_samples(self) -> TrainingClips | StoredPersons:
        split = self.split("train")
        if self.loading.short_term == "bank":
            return StoredPersons(split, self.banks.own(split), training=True)
        return TrainingClips(split, self.clips, seed=self.seed)

    def val_dataloader(self) -> DataLoader[Any]:
        """Validation batches of this rank."""
        if self.loading.short_term == "bank":
            split = self.split("val")
            dataset = StoredPersons(split, self.banks.own(split), training=False)
            return self._map_style(dataset, shuffle=False, workers=0)
        split = self.split("val")
        return self._streaming(split, split.evaluation_items(), [self.clips.eval_view])

    def test_dataloader(self) -> DataLoader[Any]:
        """Test batches of this rank, always from the videos themselves."""
        split = self.split(self.test_split)
        return self._streaming(split, tested_items(split), self.clips.test_views)

    def on_before_batch_transfer(self, batch: ClipBatch | ViewBatch, dataloader_idx: int) -> ClipBatch | ViewBatch:
        """Gather the batch's bank windows."""
        return with_windows(batch, self._windows) if self.reads_bank else batch

    def on_after_batch_transfer(self, batch: ClipBatch | ViewBatch, dataloader_idx: int) -> ClipBatch | ViewBatch:
        """Normalize the clips on the device."""
        mean, std = self.clips.mean, self.clips.std
        if isinstance(batch, ViewBatch):
            return replace(batch, views=tuple(normalize(view, mean=mean, std=std) for view in batch.views))
        return normalize(batch, mean=mean, std=std)

    def _windows(self, batch: ClipBatch) -> BankWindow | BankWindows:
        trainer = self.trainer
        assert trainer is not None
        training = bool(trainer.training)
        name = "train" if training else self.test_split if trainer.testing else "val"
        epoch = trainer.current_epoch if training else 0
        return self.banks.windows(self.split(name), batch, epoch=epoch, training=training)

    def _map_style(self, dataset: TrainingClips | StoredPersons, *, shuffle: bool, workers: int) -> DataLoader[Any]:
        if len(dataset) == 0:
            name = "train" if shuffle else "val"
            raise InputError(
                f"split {name}: no item to use; in AVA's formats, see data.first_second, data.last_second."
            )
        return ResumableLoader(
            dataset,
            batch_sampler=self._dealt(dataset, shuffle=shuffle),
            collate_fn=collate,
            num_workers=workers,
            multiprocessing_context=worker_start(workers),
            worker_init_fn=WorkerStart(workers * self._ranks_here),
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
        )

    def _dealt(self, dataset: TrainingClips | StoredPersons, *, shuffle: bool) -> DealtBatches:
        rank, world_size = self._rank_and_world_size()
        return DealtBatches(
            len(dataset),
            batch_size=self.loading.batch_size,
            seed=self.seed,
            shuffle=shuffle,
            rank=rank,
            world_size=world_size,
            weights=self._training_weights if shuffle else None,
        )

    @cached_property
    def _training_weights(self) -> Tensor | None:
        balance, replacement = self.loading.class_balance, self.loading.with_replacement
        items = self._training_samples.items
        return training_weights(self.split("train"), items, balance, with_replacement=replacement)

    def _streaming(self, split: ActionSplit, items: Sequence[Item], views: Sequence[View]) -> DataLoader[Any]:
        rank, world_size = self._rank_and_world_size()
        streamed = StreamedClips(
            split,
            items,
            split.evaluation_regions,
            sampling=self.clips.sampling,
            views=views,
            reduce=self.clips.test_reduce,
            batch_size=self.loading.batch_size,
            rank=rank,
            world_size=world_size,
            parts=parts_of(split),
        )
        workers = self._workers(videos=len(streamed.items))
        return DataLoader(
            streamed,
            batch_size=None,
            num_workers=workers,
            multiprocessing_context=worker_start(workers),
            worker_init_fn=WorkerStart(workers * self._ranks_here),
            pin_memory=torch.cuda.is_available(),
        )

    @property
    def _ranks_here(self) -> int:
        return self.trainer.num_devices if self.trainer is not None else 1

    def _workers(self, videos: int | None = None) -> int:
        gpu = self.trainer is not None and self.trainer.strategy.root_device.type != "cpu"
        return useful_workers(self.loading.num_workers, ranks_here=self._ranks_here, videos=videos, beside_gpu=gpu)

    def _rank_and_world_size(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer is not None else (0, 1)
