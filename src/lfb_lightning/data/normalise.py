"""uint8 clips to normalised floats, on the device: a quarter of the bytes travels there."""

from __future__ import annotations

from dataclasses import replace

import torch

from lfb_lightning.data.ava_data import AvaData
from lfb_lightning.structures import ClipBatch


def normalise(batch: ClipBatch, data: AvaData) -> ClipBatch:
    """The batch with clips `(x / 255 - mean) / std` in float32; as it is if it has none or float ones."""
    if batch.clips is None or batch.clips.dtype != torch.uint8:
        return batch
    mean = torch.tensor(list(data.mean), device=batch.clips.device).view(1, 3, 1, 1, 1)
    std = torch.tensor(list(data.std), device=batch.clips.device).view(1, 3, 1, 1, 1)
    return replace(batch, clips=(batch.clips.float() / 255 - mean) / std)
