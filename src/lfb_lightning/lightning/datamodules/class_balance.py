"""Sampling weights by which rare actions are seen more often than they happen."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float64


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
