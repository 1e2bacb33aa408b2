"""The model that a set of renamed weights belongs to, read off their shapes."""

from __future__ import annotations

import math
import re
from typing import Any

import torch

from lfb_lightning.errors import InputError
from lfb_lightning.models.backbones.positions import fill_sinusoids
from lfb_lightning.models.imports.multiscale_architecture import MULTISCALE_SPECS
from lfb_lightning.models.imports.rules import Layout

_MODELS = "lfb_lightning.models"
_HEADS = {384: 6, 768: 12, 1024: 16, 1280: 16}  # of the published ViT-S, B, L and H
_SLOWFAST = "backbone.slow.stem.conv.weight"  # what only SlowFast has
_HALF_PRECISION = 2e-3  # by which a stored table may differ from the computed one


def backbone_spec(weights: dict[str, torch.Tensor], layout: Layout) -> tuple[dict[str, Any], int]:
    """Read the backbone's configuration off its weights, which are under our names.

    Returns:
        The configuration, and the channels of its feature map.
    """
    for mark, spec in MULTISCALE_SPECS.items():
        if mark in weights:
            return spec(weights)
    if "backbone.patch_embed.proj.weight" in weights:
        return vit_spec(weights)
    if _SLOWFAST in weights:
        return slowfast_spec(weights, layout)
    return resnet_spec(weights, layout)


def resnet_spec(weights: dict[str, torch.Tensor], layout: Layout) -> tuple[dict[str, Any], int]:
    """Read a 3D ResNet off its weights: stages, widths, kernels; strides are the detection models'."""
    stem = weights["backbone.stem.conv.weight"]
    blocks, kernels, nonlocal_after = stages_of(weights, "backbone.")
    spec: dict[str, Any] = {
        "_target_": f"{_MODELS}.ResNet3d",
        "stage_blocks": blocks,
        "base_channels": stem.shape[0],
        "temporal_kernels": kernels,
    }
    if layout.dilate_last_stage:
        spec["spatial_dilations"] = [1, 1, 1, 2]
    if stem.shape[2] > 1:  # the original's I3D
        spec |= {"stem_temporal_kernel": stem.shape[2], "halve_time": True, "freeze_batch_norm": True}
    if any(nonlocal_after):
        spec |= {"nonlocal_after": nonlocal_after, "nonlocal_group_frames": 4}
    return spec, 4 * stem.shape[0] * 2 ** (len(blocks) - 1)


def slowfast_spec(weights: dict[str, torch.Tensor], layout: Layout) -> tuple[dict[str, Any], int]:
    """Read SlowFast off its weights; which frames its slow pathway sees is the code base's."""
    slow, fast = (weights[f"backbone.{path}.stem.conv.weight"].shape[0] for path in ("slow", "fast"))
    blocks, kernels, nonlocal_after = stages_of(weights, "backbone.slow.")
    fusion_kernel = weights["backbone.laterals.0.conv.weight"].shape[2]
    spec: dict[str, Any] = {
        "_target_": f"{_MODELS}.SlowFast",
        "stage_blocks": blocks,
        "base_channels": slow,
        "fast_base_channels": fast,
        "alpha": 8 if fusion_kernel == 5 else 4,  # mmaction2's 4x16 and 8x8
        "fusion_kernel": fusion_kernel,
        "lateral_norm": "backbone.laterals.0.bn.weight" in weights,
        "slow_temporal_kernels": kernels,
        "fast_temporal_kernels": stages_of(weights, "backbone.fast.")[1],
    }
    if layout.dilate_last_stage:
        spec["spatial_dilations"] = [1, 1, 1, 2]
    if any(nonlocal_after):
        spec["nonlocal_after"] = nonlocal_after
    return {**spec, **layout.backbone}, 4 * (slow + fast) * 2 ** (len(blocks) - 1)


def vit_spec(weights: dict[str, torch.Tensor]) -> tuple[dict[str, Any], int]:
    """Read a vision transformer off its weights; of unpublished widths, the heads are taken to have 16 channels."""
    patches, table = weights["backbone.patch_embed.proj.weight"], weights.get("backbone.pos_embed")
    channels, _, tubelet, patch_size, _ = patches.shape
    blocks = {int(match[1]) for key in weights if (match := re.match(r"backbone\.blocks\.(\d+)\.", key))}
    steps, side = 8, 224 // patch_size  # of every published model with fixed positions
    if table is not None:
        steps, side = _grid(table.shape[1], steps, side)
    spec: dict[str, Any] = {
        "_target_": f"{_MODELS}.VisionTransformer",
        "embed_dims": channels,
        "depth": 1 + max(blocks),
        "num_heads": _HEADS.get(channels) or channels // 16,
        "mlp_ratio": weights["backbone.blocks.0.mlp.fc1.weight"].shape[0] / channels,
        "num_frames": steps * tubelet,
        "tubelet": tubelet,
        "image_size": side * patch_size,
        "patch_size": patch_size,
    }
    if table is not None and not _is_sinusoid(table):
        spec["learned_positions"] = True
    return spec, channels


def _grid(positions: int, steps: int, side: int) -> tuple[int, int]:
    """Split a number of positions into time steps and the side of a square grid.

    A published model has 14 rows and columns; another one the most steps, up to 8, that leave a square.
    """
    if positions % side**2 == 0:
        return positions // side**2, side
    for number in range(steps, 0, -1):
        if positions % number == 0 and math.isqrt(positions // number) ** 2 == positions // number:
            return number, math.isqrt(positions // number)
    raise InputError(f"its {positions} positions are no time steps of a square grid.")


def _is_sinusoid(table: torch.Tensor) -> bool:
    return bool((table.float() - fill_sinusoids(torch.empty(table.shape))).abs().max() < _HALF_PRECISION)


def stages_of(
    weights: dict[str, torch.Tensor], prefix: str
) -> tuple[list[int], list[int | list[int]], list[list[int]]]:
    """Read the stages of a 3D ResNet off its weights.

    Args:
        weights: The detector's, under our names.
        prefix: Of the ResNet's.

    Returns:
        For each stage its number of blocks, the frames that their first convolutions span (one number where they are
        equal), and the blocks after which a non-local one stands.
    """
    blocks: list[int] = []
    while f"{prefix}stages.{len(blocks)}.0.conv1.conv.weight" in weights:
        pattern = re.compile(rf"{re.escape(prefix)}stages\.{len(blocks)}\.(\d+)\.")
        blocks.append(1 + max(int(match[1]) for key in weights if (match := pattern.match(key))))
    kernels = [
        [weights[f"{prefix}stages.{stage}.{block}.conv1.conv.weight"].shape[2] for block in range(number)]
        for stage, number in enumerate(blocks)
    ]
    nonlocal_after = []
    for stage in range(len(blocks)):
        pattern = re.compile(rf"{re.escape(prefix)}nonlocals\.{stage}_(\d+)\.")
        nonlocal_after.append(sorted({int(match[1]) for key in weights if (match := pattern.match(key))}))
    return blocks, [row[0] if len(set(row)) == 1 else row for row in kernels], nonlocal_after


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
    weights: dict[str, torch.Tensor], layout: Layout, fbo: str | None, num_classes: int, *, temporal_max: bool = False
) -> dict[str, Any]:
    """Read the whole detector's configuration off its weights.

    Args:
        weights: The detector's, under our names.
        layout: The code base that they are from.
        fbo: "avg" or "max", which have no weights and cannot be told apart by shapes; None where nothing says so.
        num_classes: Score columns.
        temporal_max: Whether the file says that its features are maxima over time.

    Raises:
        InputError: The classifier fits no FBO, or `fbo` is needed.
    """
    backbone, channels = backbone_spec(weights, layout)
    roi_features = {
        "_target_": f"{_MODELS}.RoIFeatures",
        "output_size": layout.roi_size,
        "sampling_ratio": 0,
        "aligned": layout.aligned,
    }
    if temporal_max:
        roi_features["temporal_max"] = True
    if layout.enlarge is not None:
        roi_features["enlarge"] = list(layout.enlarge)
    head = weights.get("head.weight")
    if fbo is None and _SLOWFAST in weights and head is not None and head.shape[1] == 2 * channels:
        roi_features["context"] = True  # no SlowFast was published with an FBO avg or max, whose head is as wide
        channels *= 2
    return {
        "_target_": f"{_MODELS}.assemble_detector",
        "backbone": backbone,
        "roi_features": roi_features,
        "fbo": fbo_spec(weights, channels, fbo),
        "num_classes": num_classes,
        "dropout": layout.dropout,
    }
