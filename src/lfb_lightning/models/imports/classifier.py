"""The classifier among the weights of a detector, which may have one layer or two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

_READING, _SCORING = ("head.weight", "head.0.weight"), ("head.weight", "head.2.weight")


def reading_layer(weights: Mapping[str, Tensor]) -> Tensor | None:
    """Find the weight that reads the features, a column for each of their channels; None: there is no classifier."""
    return next((weights[name] for name in _READING if name in weights), None)


def scoring_layer(weights: Mapping[str, Tensor]) -> Tensor | None:
    """Find the weight that makes the scores, a row for each; None: there is no classifier."""
    return next((weights[name] for name in _SCORING if name in weights), None)


def head_spec(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """Read the keys `head_layers` and `head_channels` of a detector off its weights; {}: a classifier of one layer.

    Args:
        weights: The detector's, under our names.
    """
    between = weights.get("head.0.weight")
    return {} if between is None else {"head_layers": 2, "head_channels": len(between)}
