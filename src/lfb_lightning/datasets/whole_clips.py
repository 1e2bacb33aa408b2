"""What splits have in common whose only region is the whole frame: clips are annotated there, and no persons."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Float64

from lfb_lightning.structures import Item, Keyframe, Proposals

WHOLE_FRAME = np.array([[0.0, 0.0, 1.0, 1.0]])
"""Normalized xyxy, `[1, 4]`."""


class WholeClips:
    """The part of a split that says that the whole frame is the region, in training, evaluation and the bank."""

    bank_threshold = 0.0
    bank_entries = "clips"

    def evaluation_regions(self, item: Item) -> Proposals:
        """Give the whole frame."""
        return Proposals(WHOLE_FRAME, np.ones(1))

    def bank_regions(self, keyframe: Keyframe, choice: str) -> Proposals:
        """Give the whole frame."""
        return Proposals(WHOLE_FRAME, np.ones(1))

    def annotated_boxes(self, keyframe: Keyframe) -> Float64[np.ndarray, "P 4"]:
        """Give no box: no region is annotated."""
        return np.zeros((0, 4))

    def stored_scored(self, scores: Float[np.ndarray, " P"]) -> Bool[np.ndarray, " P"]:
        """Score every entry of the bank."""
        return np.ones(len(scores), dtype=bool)
