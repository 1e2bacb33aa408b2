"""Digests of weights: they tell whether two modules are the same, wherever they came from."""

from __future__ import annotations

import hashlib

import torch
from torch import nn


def state_digest(module: nn.Module) -> str:
    """Compute the SHA-256 of a module's state: names, shapes, dtypes and values.

    It is equal for equal weights, wherever they came from; banks keep it to tell which backbone made them.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
