"""Collates samples into a batch; clips of unequal size are padded at the right and the bottom with the mean color."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import UInt8
from torch import Tensor

from lfb_lightning.boxes import rois_from_boxes
from lfb_lightning.structures import ClipBatch, Sample

_PADDING = 115  # 0.45 x 255: zero after normalization, to a rounding


def collate(samples: list[Sample]) -> ClipBatch:
    """Collate at least one sample into a batch; a sample without persons keeps its clip."""
    clips = [sample.clip for sample in samples if sample.clip is not None]
    labels = [sample.labels for sample in samples if sample.labels is not None]
    features = [sample.short_term for sample in samples if sample.short_term is not None]
    return ClipBatch(
        keyframes=[sample.keyframe for sample in samples],
        clips=_stack(clips) if clips else None,
        rois=rois_from_boxes([sample.rois for sample in samples]),
        boxes=torch.cat([sample.boxes for sample in samples]),
        scores=torch.cat([sample.scores for sample in samples]),
        labels=torch.cat(labels) if labels else None,
        short_term=torch.cat(features) if features else None,
        items=tuple(sample.item for sample in samples),
    )


def _stack(clips: list[UInt8[Tensor, "3 T _ _"]]) -> UInt8[Tensor, "B 3 T H W"]:
    height, width = max(clip.shape[2] for clip in clips), max(clip.shape[3] for clip in clips)
    return torch.stack(
        [F.pad(clip, (0, width - clip.shape[3], 0, height - clip.shape[2]), value=_PADDING) for clip in clips]
    )
