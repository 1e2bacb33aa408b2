"""The backbone that a set of renamed weights belongs to, read off their shapes."""

from __future__ import annotations

import math
import re
from typing import Any

import torch

from lfb_lightning.errors import InputError
from lfb_lightning.models.backbones.positions import fill_sinusoids
from lfb_lightning.models.imports.multiscale_architecture import MULTISCALE_SPECS
from lfb_lightning.models.imports.rules import MODELS, ClipSet, Layout

_HEADS = {384: 6, 768: 12, 1024: 16, 1280: 16}  # of the published ViT-S, B, L and H
SLOWFAST_MARK = "backbone.slow.stem.conv.weight"  # what only SlowFast has
_HALF_PRECISION = 2e-3  # by which a stored table may differ from the computed one


def backbone_spec(
    weights: dict[str, torch.Tensor], layout: Layout, clip_set: ClipSet | None = None
) -> tuple[dict[str, Any], int]:
    """Read the backbone's configuration off its weights, which are under our names.

    Returns:
        The configuration, and the channels of its feature map.
    """
    for mark, spec in MULTISCALE_SPECS.items():
        if mark in weights:
            return spec(weights)
    if "backbone.patch_embed.proj.weight" in weights:
        return vit_spec(weights)
    if SLOWFAST_MARK in weights:
        return slowfast_spec(weights, layout)
    return resnet_spec(weights, layout, clip_set)


def resnet_spec(
    weights: dict[str, torch.Tensor], layout: Layout, clip_set: ClipSet | None = None
) -> tuple[dict[str, Any], int]:
    """Read a 3D ResNet off its weights: stages, widths, kernels; strides are the detection models'."""
    stem = weights["backbone.stem.conv.weight"]
    blocks, kernels, nonlocal_after = stages_of(weights, "backbone.")
    spec: dict[str, Any] = {
        "_target_": f"{MODELS}.ResNet3d",
        "stage_blocks": blocks,
        "base_channels": stem.shape[0],
        "temporal_kernels": kernels,
    }
    dilates = layout.dilate_last_stage if clip_set is None else depth_of(blocks) in clip_set.depths_dilated
    if dilates:
        spec["spatial_dilations"] = [1, 1, 1, 2]
    if stem.shape[2] > 1:  # the original's I3D
        spec |= {"stem_temporal_kernel": stem.shape[2], "halve_time": True, "freeze_batch_norm": True}
    if any(nonlocal_after):
        spec |= {"nonlocal_after": nonlocal_after, "nonlocal_group_frames": 4}
    return spec, 4 * stem.shape[0] * 2 ** (len(blocks) - 1)


def depth_of(blocks: list[int]) -> int:
    """Count the convolutions of a ResNet of bottlenecks as its name does: 50 or 101, with the stem and a classifier."""
    return 3 * sum(blocks) + 2


def slowfast_spec(weights: dict[str, torch.Tensor], layout: Layout) -> tuple[dict[str, Any], int]:
    """Read SlowFast off its weights; which frames its slow pathway sees is the code base's."""
    slow, fast = (weights[f"backbone.{path}.stem.conv.weight"].shape[0] for path in ("slow", "fast"))
    blocks, kernels, nonlocal_after = stages_of(weights, "backbone.slow.")
    fusion_kernel = weights["backbone.laterals.0.conv.weight"].shape[2]
    spec: dict[str, Any] = {
        "_target_": f"{MODELS}.SlowFast",
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
        "_target_": f"{MODELS}.VisionTransformer",
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
