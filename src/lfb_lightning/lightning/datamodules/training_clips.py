"""Training samples: the clip around an item, read by random access and augmented, with labeled regions."""

from __future__ import annotations

import hashlib

import torch
from torch.utils.data import Dataset

from lfb_lightning.clips.reading import clip_at
from lfb_lightning.clips.settings import ClipSettings
from lfb_lightning.datasets import ActionSplit
from lfb_lightning.lightning.datamodules.batching import SampleKey
from lfb_lightning.structures import Sample


class TrainingClips(Dataset[Sample]):
    """Map-style over `SampleKey`: equal key and seed give an equal sample in any worker.

    Args:
        split: The items, their regions and labels.
        clips: How a clip is cut and augmented.
        seed: Of the augmentation.
    """

    def __init__(self, split: ActionSplit, clips: ClipSettings, *, seed: int) -> None:
        self.items = split.training_items()
        self._split = split
        self._seed = seed
        self._sampling = clips.sampling
        self._transform = clips.train_transform

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, key: SampleKey) -> Sample:
        """Read, augment and label a clip.

        Raises:
            InputError: Its video cannot be read; the message names the file.
        """
        item = self.items[key.index]
        generator = sample_generator(self._seed, key)
        regions = self._split.training_regions(item, generator)
        clip = clip_at(
            self._split.video(regions.keyframe.video_id),
            self._split.clock.seconds_in_video(regions.keyframe.timestamp),
            regions.boxes,
            sampling=self._sampling,
            transform=self._transform,
            generator=generator,
            part=regions.part,
        )
        return Sample(
            keyframe=regions.keyframe,
            clip=clip.pixels,
            rois=clip.rois[clip.inside],
            boxes=torch.from_numpy(regions.boxes)[clip.inside],
            scores=torch.from_numpy(regions.scores)[clip.inside],
            labels=torch.from_numpy(regions.labels).float()[clip.inside],
            item=item.number,
        )


def sample_generator(seed: int, key: SampleKey) -> torch.Generator:
    """Make the generator of a sample's random choices, which depends on the seed, the epoch and the sample."""
    text = f"{seed},{key.epoch},{key.index}{f',{key.repeat}' if key.repeat else ''}".encode()
    number = int.from_bytes(hashlib.blake2b(text, digest_size=7).digest(), "little")
    return torch.Generator().manual_seed(number)
