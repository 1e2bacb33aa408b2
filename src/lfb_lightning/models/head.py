"""The head: from a region's features, its own and the bank's, to the logits of the actions."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from lfb_lightning.errors import InputError


def make_head(width: int, num_classes: int, *, layers: int = 1, channels: int) -> nn.Module:
    """Make a linear head, or one of two layers with a ReLU between them, as mmaction2's `mlp_head`.

    Args:
        width: Of the features.
        num_classes: Score columns.
        layers: 1 or 2.
        channels: Width between two layers.

    Raises:
        InputError: There are other numbers of layers or channels.
    """
    if layers not in (1, 2):
        raise InputError(f"model.head_layers is {layers}, expected 1 or 2.")
    if channels < 1:
        raise InputError(f"model.head_channels is {channels}, expected at least 1, or null for the features' width.")
    last = nn.Linear(width if layers == 1 else channels, num_classes)
    nn.init.normal_(last.weight, std=0.01)
    nn.init.zeros_(last.bias)
    return last if layers == 1 else nn.Sequential(nn.Linear(width, channels), nn.ReLU(), last)


def start_head(head: nn.Module, weights: Mapping[str, Tensor], *, channels: int) -> bool:
    """Copy another head's columns for the short-term feature; those for the FBO stay as initialized.

    Args:
        head: What is changed in place.
        weights: Another detector's, by name.
        channels: Width of the short-term features, which come first.

    Returns:
        Whether the other head fits: as many layers, columns and channels between them.
    """
    own = head.state_dict()
    other = {name.removeprefix("head."): value for name, value in weights.items() if name.startswith("head.")}
    if own.keys() != other.keys():
        return False
    reads = next(iter(own))  # the weight that reads the features
    for name, value in own.items():
        there = other[name]
        if name != reads and there.shape != value.shape:
            return False
        if name == reads and (there.ndim != 2 or len(there) != len(value) or there.shape[1] < channels):
            return False
    with torch.no_grad():
        for name, value in own.items():
            if name == reads:
                value[:, :channels] = other[name][:, :channels]
            else:
                value.copy_(other[name])
    return True
