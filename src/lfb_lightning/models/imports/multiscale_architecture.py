"""MViTv2, Swin and V-JEPA 2, read off their weights' shapes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from itertools import groupby
from typing import Any

from torch import Tensor

from lfb_lightning.errors import InputError

_MODELS = "lfb_lightning.models"
_VJEPA2_HEADS = {1024: 16, 1280: 16, 1408: 22}  # of the published ViT-L, H and g
Spec = Callable[[Mapping[str, Tensor]], tuple[dict[str, Any], int]]


def mvit_spec(weights: Mapping[str, Tensor]) -> tuple[dict[str, Any], int]:
    """Read MViTv2 off its weights; the strides of keys and values are those of every published one."""
    embed_dims = weights["backbone.conv_proj.weight"].shape[0]
    blocks = _count(weights, r"backbone\.blocks\.(\d+)\.")
    widths = [weights[f"backbone.blocks.{block}.attn.project.0.weight"].shape[0] for block in range(blocks)]
    first = "backbone.blocks.0.attn."
    steps, side = ((weights[f"{first}rel_pos_{axis}"].shape[0] + 1) // 2 for axis in "th")
    spec = {
        "_target_": f"{_MODELS}.MViT",
        "embed_dims": embed_dims,
        "num_heads": max(embed_dims // weights[f"{first}pool_q.pool.weight"].shape[0], 1),
        "stage_blocks": [len(list(stage)) for _, stage in groupby(widths)],
        "num_frames": 2 * steps,
        "image_size": 4 * side,
    }
    return spec, widths[-1]


def swin3d_spec(weights: Mapping[str, Tensor]) -> tuple[dict[str, Any], int]:
    """Read a Swin transformer off its weights."""
    embed_dims = weights["backbone.patch_embed.proj.weight"].shape[0]
    depths: list[int] = []
    while (depth := _count(weights, rf"backbone\.features\.{2 * len(depths)}\.(\d+)\.attn\.")) > 0:
        depths.append(depth)
    tables = [
        weights[f"backbone.features.{2 * stage}.0.attn.relative_position_bias_table"] for stage in range(len(depths))
    ]
    cells = math.isqrt(weights["backbone.features.0.0.attn.relative_position_index"].numel())
    spec = {
        "_target_": f"{_MODELS}.Swin3d",
        "embed_dims": embed_dims,
        "depths": depths,
        "num_heads": [table.shape[1] for table in tables],
        "window_size": _window(cells, tables[0].shape[0]),
    }
    return spec, embed_dims * 2 ** (len(depths) - 1)


def vjepa2_spec(weights: Mapping[str, Tensor]) -> tuple[dict[str, Any], int]:
    """Read V-JEPA 2's encoder off its weights; of unpublished widths, the heads are taken to have 16 channels."""
    channels, _, tubelet, patch_size, _ = weights["backbone.encoder.embeddings.patch_embeddings.proj.weight"].shape
    spec = {
        "_target_": f"{_MODELS}.VJEPA2",
        "embed_dims": channels,
        "depth": _count(weights, r"backbone\.encoder\.layer\.(\d+)\."),
        "num_heads": _VJEPA2_HEADS.get(channels) or max(channels // 16, 1),
        "mlp_ratio": weights["backbone.encoder.layer.0.mlp.fc1.weight"].shape[0] / channels,
        "tubelet": tubelet,
        "patch_size": patch_size,
    }
    return spec, channels


MULTISCALE_SPECS: dict[str, Spec] = {
    "backbone.conv_proj.weight": mvit_spec,
    "backbone.features.0.0.attn.relative_position_bias_table": swin3d_spec,
    "backbone.encoder.embeddings.patch_embeddings.proj.weight": vjepa2_spec,
}


def _count(weights: Mapping[str, Tensor], pattern: str) -> int:
    """Count the numbered parts that names begin with."""
    return 1 + max((int(match[1]) for key in weights if (match := re.match(pattern, key))), default=-1)


def _window(cells: int, offsets: int) -> list[int]:
    """Find the window of so many cells, as high as wide, whose cells have so many offsets to each other."""
    for steps in range(1, cells + 1):
        side = math.isqrt(cells // steps)
        if steps * side * side == cells and (2 * steps - 1) * (2 * side - 1) ** 2 == offsets:
            return [steps, side, side]
    raise InputError(f"its attention windows of {cells} cells with {offsets} offsets are of no known shape.")
