"""Detectors as the configuration files describe them, and batches as the data module gives them."""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.fbo import draw_case
from benchmarks.gpu.sizes import Backbone, Sizes
from lfb_lightning.models import ActionDetector, build_detector
from lfb_lightning.structures import ClipBatch, Keyframe

CLASSES = 81


def section(backbone: dict[str, Any], *, latent: int) -> dict[str, Any]:
    """Give the `model` section of a detector with FBO-NL."""
    fbo = {"_target_": "lfb_lightning.models.FBONonLocal", "_partial_": True, "latent_channels": latent}
    return {
        "_target_": "lfb_lightning.models.assemble_detector",
        "backbone": backbone,
        "roi_features": {"_target_": "lfb_lightning.models.RoIFeatures", "output_size": 8},
        "fbo": fbo,
        "num_classes": CLASSES,
    }


def make_detector(backbone: Backbone, sizes: Sizes, **changes: Any) -> ActionDetector:
    """Make a detector with FBO-NL and random weights on the CPU.

    Args:
        backbone: Its backbone.
        sizes: How wide the FBO is.
        changes: Keys of the backbone's section with other values.
    """
    return build_detector(section(backbone.section(**changes), latent=sizes.latent))


def draw_batch(backbone: Backbone, sizes: Sizes, *, channels: int) -> ClipBatch:
    """Draw a training batch with its windows, on the CPU, as it is before its transfer.

    Args:
        backbone: Says how many frames a clip has.
        sizes: Says the rest.
        channels: Width of the bank's features.
    """
    _, window, clip_of_roi = draw_case(
        clips=sizes.clips, persons=sizes.persons, seconds=sizes.seconds, channels=channels
    )
    persons, side = len(clip_of_roi), sizes.side
    corners = torch.rand(persons, 2) * side / 2
    rois = torch.cat([clip_of_roi[:, None].float(), corners, corners + side / 3], dim=1)
    return ClipBatch(
        keyframes=[Keyframe("video", 902 + number) for number in range(sizes.clips)],
        clips=torch.randint(0, 256, (sizes.clips, 3, backbone.frames, side, side), dtype=torch.uint8),
        rois=rois,
        boxes=(rois[:, 1:] / side).double(),
        scores=torch.ones(persons, dtype=torch.float64),
        labels=(torch.rand(persons, CLASSES) < 0.03).float(),
        window=window,
    )
