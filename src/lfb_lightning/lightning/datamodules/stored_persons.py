"""Samples without pixels: persons whose short-term features a bank already holds.

With a frozen backbone and no augmentation, the detector's short-term features are the bank's own rows. Reading them
instead of decoding makes an epoch of FBO training a matter of seconds (the paper trains so on Charades).
"""

from __future__ import annotations

import torch
from torch.utils.data import Dataset

from lfb_lightning.bank import FeatureBank
from lfb_lightning.datasets.ava.split import Split
from lfb_lightning.lightning.datamodules.batching import SampleKey
from lfb_lightning.structures import Keyframe, Sample


class StoredPersons(Dataset[Sample]):
    """The bank's persons of the split's keyframes, labelled where they match ground truth (`training`)."""

    def __init__(self, split: Split, bank: FeatureBank, *, training: bool) -> None:
        self.split = split
        self.bank = bank
        self.training = training
        self.keyframes: list[Keyframe] = [
            keyframe for keyframe in bank.keyframes() if not training or len(split.annotations[keyframe])
        ]

    def __len__(self) -> int:
        return len(self.keyframes)

    def __getitem__(self, key: SampleKey) -> Sample:
        """Read the keyframe's persons; those below the evaluation threshold are left out unless training."""
        keyframe = self.keyframes[key.index]
        boxes, scores, features = self.bank.rows_at(keyframe)
        labels = None
        if self.training:
            found, kept = self.split.match(self.split.annotations[keyframe], boxes.double().numpy())
            labels = torch.from_numpy(found).float()
            selected = torch.from_numpy(kept)
        else:
            selected = scores >= self.split.data.eval_threshold
        return Sample(
            keyframe=keyframe,
            clip=None,
            rois=boxes[selected],
            boxes=boxes[selected].double(),
            scores=scores[selected].double(),
            labels=None if labels is None else labels[selected],
            short_term=features[selected].float(),
        )
