"""Sampling weights by which rare actions are seen more often than they happen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from lfb_lightning.datasets import ActionSplit
from lfb_lightning.datasets.action_dataset import ItemActions
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Item


def keyframe_weights(actions: Bool[np.ndarray, "K A"], balance: float) -> Float64[np.ndarray, " K"]:
    """Compute sampling weights of keyframes: that of a keyframe's rarest action, (keyframes with it) ** -balance.

    Args:
        actions: Which actions each of K keyframes shows.
        balance: 0 draws all alike, 1 weighs each action's keyframes as much as any other's, 0.5 is the square root rule
            of long-tailed recognition (Gupta et al., LVIS, 2019).

    Returns:
        One weight per keyframe; 0 for one without any listed action, which would carry no loss.
    """
    counts = actions.sum(axis=0)
    of_action = np.where(counts > 0, np.maximum(counts, 1.0) ** -balance, 0.0)
    return np.where(actions, of_action, 0.0).max(axis=1, initial=0.0)


def training_weights(
    split: ActionSplit, items: Sequence[Item], balance: float, *, with_replacement: bool = False
) -> Tensor | None:
    """Compute how often each item of a split is drawn; None: each once an epoch.

    Args:
        split: Offers `ItemActions` beside what every split does.
        items: Some of its items.
        balance: See `keyframe_weights`.
        with_replacement: Whether a balance of 0 draws one by one among all of them.

    Raises:
        InputError: The split does not say which actions its items show.
    """
    if balance == 0:
        return torch.ones(len(items), dtype=torch.float64) if with_replacement else None
    if not isinstance(split, ItemActions):
        raise InputError(
            f"data.class_balance: {type(split).__name__} does not say which actions its items show (item_actions)."
        )
    return torch.from_numpy(keyframe_weights(split.item_actions(items), balance))
