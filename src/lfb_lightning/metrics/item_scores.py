"""The scores of items, such as videos or segments, collected on every rank: a start for an evaluator of one's own."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float64, Int64

from lfb_lightning.errors import InputError
from lfb_lightning.metrics.collected_rows import CollectedRows, keyframe_numbers
from lfb_lightning.structures import Detections


class ItemScores(CollectedRows):
    """Collects the scores of items from all processes, and reduces those of an item's views to one row.

    A view is an item at a keyframe. It counts once, however often a distributed sampler repeats it.

    Args:
        columns: Score columns that are kept, from the first on; a detector may have more.
        reduce: How the scores of an item's views become one: their mean, or the maximum of each column.

    Raises:
        InputError: `reduce` is neither.
    """

    def __init__(self, *, columns: int, reduce: str = "mean") -> None:
        super().__init__(identity=3, width=columns)
        if reduce not in ("mean", "max"):
            raise InputError(f"reduce is {reduce!r}, expected mean or max.")
        self.columns = columns
        self.reduce = reduce

    def update(self, detections: Detections) -> None:
        """Add the scores of a batch; a keyframe without a region adds nothing."""
        if len(detections.scores) == 0:
            return
        items = torch.tensor(detections.items, dtype=torch.long)[:, None]
        identity = torch.cat([items, keyframe_numbers(detections.keyframes)], dim=1)
        self.collect(identity, detections.clip_of_roi, detections.scores[:, : self.columns])

    def compute(self) -> tuple[Int64[np.ndarray, " N"], Float64[np.ndarray, "N A"]]:
        """Reduce what all processes have collected.

        Returns:
            The numbers of the items in ascending order, and the scores of each.
        """
        keys, scores = self.unique_rows()
        items, first, counts = np.unique(keys[:, 0], return_index=True, return_counts=True)
        if len(items) == 0:
            return items, scores
        if self.reduce == "max":
            return items, np.maximum.reduceat(scores, first, axis=0)
        return items, np.add.reduceat(scores, first, axis=0) / counts[:, None]
