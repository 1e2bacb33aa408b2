"""Normalization of uint8 clips on the device, where a quarter of the bytes of float clips has to travel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from lfb_lightning.structures import ClipBatch


def normalize(batch: ClipBatch, *, mean: Sequence[float], std: Sequence[float]) -> ClipBatch:
    """Normalize the clips of a batch to `(x / 255 - mean) / std` in float32.

    Args:
        batch: uint8 clips `[B, 3, T, H, W]`; a batch without clips, or with float ones, is returned as it is.
        mean: Means of R, G and B, in 0..1.
        std: Standard deviations of R, G and B, in 0..1.
    """
    if batch.clips is None or batch.clips.dtype != torch.uint8:
        return batch
    center = torch.tensor(list(mean), device=batch.clips.device).view(1, 3, 1, 1, 1)
    spread = torch.tensor(list(std), device=batch.clips.device).view(1, 3, 1, 1, 1)
    return replace(batch, clips=(batch.clips.float() / 255 - center) / spread)
