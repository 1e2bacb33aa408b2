"""The model that a set of renamed weights belongs to, read off their shapes."""

from __future__ import annotations

import re
from typing import Any

import torch

from lfb_lightning.errors import InputError
from lfb_lightning.models.imports.layouts import Layout

_MODELS = "lfb_lightning.models"


def backbone_spec(weights: dict[str, torch.Tensor], layout: Layout) -> dict[str, Any]:
    """Read the backbone's configuration off its weights: stages, widths, kernels; strides are the detection models'."""
    stem = weights["backbone.stem.conv.weight"]
    blocks: list[int] = []
    while f"backbone.stages.{len(blocks)}.0.conv1.conv.weight" in weights:
        stage = len(blocks)
        blocks.append(1 + max(int(match[1]) for key in weights if (match := _block(stage).match(key))))
    kernels = [
        [weights[f"backbone.stages.{stage}.{block}.conv1.conv.weight"].shape[2] for block in range(number)]
        for stage, number in enumerate(blocks)
    ]
    nonlocal_after = [
        sorted({int(m[1]) for key in weights if (m := _nonlocal(stage).match(key))}) for stage in range(len(blocks))
    ]
    spec: dict[str, Any] = {
        "_target_": f"{_MODELS}.ResNet3d",
        "stage_blocks": blocks,
        "base_channels": stem.shape[0],
        "temporal_kernels": [row[0] if len(set(row)) == 1 else row for row in kernels],
    }
    if layout.dilate_last_stage:
        spec["spatial_dilations"] = [1, 1, 1, 2]
    if stem.shape[2] > 1:  # the original's I3D
        spec |= {"stem_temporal_kernel": stem.shape[2], "halve_time": True, "freeze_batch_norm": True}
    if any(nonlocal_after):
        spec |= {"nonlocal_after": nonlocal_after, "nonlocal_group_frames": 4}
    return spec


def fbo_spec(weights: dict[str, torch.Tensor], channels: int, hint: str | None) -> dict[str, Any]:
    """Read the FBO's configuration off its weights.

    Args:
        weights: The detector's, under our names.
        channels: Width of the short-term features.
        hint: "avg" or "max", which have no weights and cannot be told apart by shapes.

    Raises:
        InputError: The classifier fits no FBO, or the hint is needed.
    """
    head_in = weights["head.weight"].shape[1] if "head.weight" in weights else channels
    if "fbo.short_term_projection.weight" in weights:
        layers = {int(match[1]) for key in weights if (match := re.match(r"fbo\.layers\.(\d+)\.", key))}
        return {
            "_target_": f"{_MODELS}.FBONonLocal",
            "_partial_": True,
            "latent_channels": weights["fbo.short_term_projection.weight"].shape[0],
            "num_layers": len(layers),
            "dropout": 0.2,
            "mask_padding": False,
        }
    if head_in == channels:
        return {"_target_": f"{_MODELS}.FBONone", "_partial_": True}
    if head_in != 2 * channels:
        raise InputError(f"the classifier reads {head_in} channels, the backbone makes {channels}: no FBO fits.")
    if hint not in ("avg", "max"):
        raise InputError(
            "the classifier reads twice the backbone's channels: this is FBO avg or max, which the weights do not tell; "
            "add fbo=max or fbo=avg."
        )
    return {"_target_": f"{_MODELS}.FBO{hint.capitalize()}", "_partial_": True, "mask_padding": False}


def detector_spec(
    weights: dict[str, torch.Tensor], layout: Layout, fbo: str | None, num_classes: int
) -> dict[str, Any]:
    """Read the whole detector's configuration off its weights.

    Args:
        weights: The detector's, under our names.
        layout: The code base that they are from.
        fbo: "avg" or "max", which have no weights and cannot be told apart by shapes; None where nothing says so.
        num_classes: Score columns.

    Raises:
        InputError: The classifier fits no FBO, or `fbo` is needed.
    """
    backbone = backbone_spec(weights, layout)
    channels = 4 * backbone["base_channels"] * 2 ** (len(backbone["stage_blocks"]) - 1)
    return {
        "_target_": f"{_MODELS}.assemble_detector",
        "backbone": backbone,
        "roi_features": {
            "_target_": f"{_MODELS}.RoIFeatures",
            "output_size": layout.roi_size,
            "sampling_ratio": 0,
            "aligned": layout.aligned,
        },
        "fbo": fbo_spec(weights, channels, fbo),
        "num_classes": num_classes,
        "dropout": layout.dropout,
    }


def _block(stage: int) -> re.Pattern[str]:
    return re.compile(rf"backbone\.stages\.{stage}\.(\d+)\.")


def _nonlocal(stage: int) -> re.Pattern[str]:
    return re.compile(rf"backbone\.nonlocals\.{stage}_(\d+)\.")
