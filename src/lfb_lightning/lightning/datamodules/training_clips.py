"""Training samples: a random-access clip around an annotated keyframe, augmented, with labelled persons."""

from __future__ import annotations

import hashlib

import torch
from torch.utils.data import Dataset

from lfb_lightning.datasets.ava.split import Split
from lfb_lightning.lightning.datamodules.batching import SampleKey
from lfb_lightning.structures import Sample


class TrainingClips(Dataset[Sample]):
    """Map-style over (index, epoch): the same key and seed give the same sample in any worker."""

    def __init__(self, split: Split, *, seed: int) -> None:
        self.split = split
        self.seed = seed
        self.keyframes = split.training_keyframes()
        self._videos = split.data.videos
        self._sampling = split.data.clip_sampling
        self._transform = split.data.train_transform
        _ = split.proposals  # read before workers are forked, not in each of them

    def __len__(self) -> int:
        return len(self.keyframes)

    def __getitem__(self, key: SampleKey) -> Sample:
        """Decode, augment, label; raises InputError naming the file for a video that cannot be read."""
        keyframe = self.keyframes[key.index]
        generator = sample_generator(self.seed, key)
        persons, scores = self.split.training_persons(keyframe, generator)
        frames = self._videos.open(keyframe.video_id).clip(self._sampling.times(keyframe.timestamp))
        clip, rois, kept = self._transform(frames, persons.boxes, generator)
        return Sample(
            keyframe=keyframe,
            clip=clip,
            rois=rois[kept],
            boxes=torch.from_numpy(persons.boxes)[kept],
            scores=torch.from_numpy(scores)[kept],
            labels=torch.from_numpy(persons.labels).float()[kept],
        )


def sample_generator(seed: int, key: SampleKey) -> torch.Generator:
    """The generator of a sample's augmentation."""
    text = f"{seed},{key.epoch},{key.index}{f',{key.repeat}' if key.repeat else ''}".encode()
    number = int.from_bytes(hashlib.blake2b(text, digest_size=7).digest(), "little")
    return torch.Generator().manual_seed(number)
