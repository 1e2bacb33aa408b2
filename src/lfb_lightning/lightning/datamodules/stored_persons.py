"""Samples without pixels: regions whose short-term features a bank already holds.

With a frozen backbone and no augmentation, the detector's short-term features are the bank's own rows. Reading them
instead of decoding makes an epoch of FBO training a matter of seconds (the paper trains so on Charades).
"""

from __future__ import annotations

import torch
from torch.utils.data import Dataset

from lfb_lightning.bank import FeatureBank
from lfb_lightning.datasets import ActionSplit
from lfb_lightning.datasets.action_dataset import StoredLabels
from lfb_lightning.datasets.stored_items import stored_items
from lfb_lightning.errors import InputError
from lfb_lightning.lightning.datamodules.batching import SampleKey
from lfb_lightning.structures import Item, Sample


class StoredPersons(Dataset[Sample]):
    """The bank's regions of a split's items: labeled ones in training, those that are scored in evaluation.

    Args:
        split: Offers `StoredLabels` beside what every split does.
        bank: The split's bank.
        training: Whether the samples carry labels.

    Raises:
        InputError: The split does not say how stored regions are labeled.
    """

    def __init__(self, split: ActionSplit, bank: FeatureBank, *, training: bool) -> None:
        if not isinstance(split, StoredLabels):
            raise InputError(
                f"data.short_term=bank: {type(split).__name__} does not label stored regions (stored_labels); use clips."
            )
        self._labels: StoredLabels = split
        self._bank = bank
        self._training = training
        stored = set(bank.keyframes())
        self.items = [item for item in stored_items(split, training=training) if item.keyframe in stored]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, key: SampleKey) -> Sample:
        """Read the regions of an item."""
        item: Item = self.items[key.index]
        boxes, scores, features = self._bank.rows_at(item.keyframe)
        labels = None
        if self._training:
            found, kept = self._labels.stored_labels(item.keyframe, boxes.double().numpy())
            selected = torch.from_numpy(kept)
            labels = torch.from_numpy(found).float()[selected]
        else:
            selected = torch.from_numpy(self._labels.stored_scored(scores.numpy()))
        return Sample(
            keyframe=item.keyframe,
            clip=None,
            rois=boxes[selected],
            boxes=boxes[selected].double(),
            scores=scores[selected].double(),
            labels=labels,
            short_term=features[selected].float(),
            item=item.number,
        )
