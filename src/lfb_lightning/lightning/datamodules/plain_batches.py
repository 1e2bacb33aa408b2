"""Batches of chosen training items as evaluation shows them, for looking at a data module without training on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from lfb_lightning.clips import collate
from lfb_lightning.clips.normalize import normalize
from lfb_lightning.lightning.datamodules.action_data import ActionDataModule
from lfb_lightning.lightning.datamodules.batching import SampleKey
from lfb_lightning.lightning.datamodules.stored_persons import StoredPersons
from lfb_lightning.lightning.datamodules.training_clips import TrainingClips
from lfb_lightning.structures import ClipBatch, Item


class PlainBatches:
    """Reads training items without augmentation: whole pictures, and the bank's windows that evaluation reads.

    Args:
        data: The data module.
    """

    def __init__(self, data: ActionDataModule) -> None:
        self._data = data
        split = data.split("train")
        self._samples: TrainingClips | StoredPersons
        if data.loading.short_term == "bank":
            self._samples = StoredPersons(split, data.banks.own(split), training=True)
        else:
            side = data.clips.eval_short_side
            sides = None if side is None else (side, side)
            plain = replace(data.clips, train_short_side=sides, train_crop=None, train_flip=0.0, train_color_jitter=0.0)
            self._samples = TrainingClips(split, plain, seed=data.seed)

    @property
    def items(self) -> Sequence[Item]:
        """The items of a training epoch: those of the split, or those of them that the bank holds."""
        return self._samples.items

    def draw(self, number: int) -> list[int]:
        """Draw so many items, or all if there are fewer; the seed decides which.

        Returns:
            Their places among `items`.
        """
        generator = torch.Generator().manual_seed(self._data.seed)
        return torch.randperm(len(self.items), generator=generator)[:number].tolist()

    def neighbors(self, places: Sequence[int]) -> list[int]:
        """Find, for each of some items, the nearest item of the same video that is not among them, each once.

        Args:
            places: Of the items.
        """
        by_video: dict[str, list[int]] = {}
        for place, item in enumerate(self.items):
            by_video.setdefault(item.keyframe.video_id, []).append(place)
        taken = set(places)
        found = []
        for place in places:
            video_id, tick = self.items[place].keyframe
            free = [other for other in by_video[video_id] if other not in taken]
            nearest = min(free, key=lambda other: abs(self.items[other].keyframe.timestamp - tick), default=None)
            if nearest is not None:
                taken.add(nearest)
                found.append(nearest)
        return found

    def seconds_apart(self, places: Sequence[int], others: Sequence[int]) -> float:
        """Compute how far others are from the nearest of some items of their video, on average; NaN without others."""
        keyframes = [self.items[place].keyframe for place in places]
        distances = [
            min(abs(one.timestamp - other.timestamp) for one in keyframes if one.video_id == other.video_id)
            for other in (self.items[place].keyframe for place in others)
        ]
        rate = self._data.split("train").clock.ticks_per_second
        return float(sum(distances) / len(distances) / rate) if distances else math.nan

    def __call__(self, places: Sequence[int]) -> ClipBatch:
        """Read items.

        Args:
            places: Of the items, at least one.

        Returns:
            A batch with labels, normalized, on the CPU.

        Raises:
            InputError: A video cannot be read.
        """
        data = self._data
        batch = collate([self._samples[SampleKey(place, epoch=0)] for place in places])
        if data.reads_bank:
            batch = batch.with_window(data.banks.windows(data.split("train"), batch, epoch=0, training=False))
        return normalize(batch, mean=data.clips.mean, std=data.clips.std)
