"""Starts a detector from another one's weights: the backbone, and the head's columns for the short-term feature."""

from __future__ import annotations

from pathlib import Path

import torch

from lfb_lightning.errors import InputError
from lfb_lightning.models.checkpoint import read_checkpoint
from lfb_lightning.models.detector import ActionDetector


def start_from(detector: ActionDetector, path: str | Path) -> str:
    """Copy what fits from a checkpoint into `detector`; returns one line that says what was taken.

    The backbone must fit whole. The head starts with the other's columns for the short-term feature (its columns for the
    FBO keep their initialisation), so an LFB detector begins as the baseline it extends. Raises InputError otherwise.
    """
    _, weights = read_checkpoint(path)
    own = detector.state_dict()
    needed = [key for key in own if key.startswith("backbone.")]
    bad = [key for key in needed if key not in weights or weights[key].shape != own[key].shape]
    if bad:
        raise InputError(f"init_from={path}: its backbone does not fit, {len(bad)} weights differ, first {bad[0]!r}.")
    taken = {key: weights[key] for key in needed}
    head, other = own["head.weight"], weights.get("head.weight")
    head_note = "a new head"
    if other is not None and len(other) == len(head) and other.shape[1] >= detector.channels:
        columns = head.clone()
        columns[:, : detector.channels] = other[:, : detector.channels]
        taken |= {"head.weight": columns, "head.bias": weights["head.bias"]}
        head_note = "the head's short-term columns"
    with torch.no_grad():
        detector.load_state_dict(taken, strict=False)
    return f"started from {path}: the backbone ({len(needed)} tensors) and {head_note}"
