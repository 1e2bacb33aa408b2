"""Which proposals become training persons, and with whose actions: mmaction2's assigner and sampler, reproduced.

The default of this package is simpler: a proposal takes the actions of the box that it overlaps most (`AvaSplit`). This
one is for presets that reproduce mmaction2. Its `reassign_best` gives a proposal that is the best one of several
ground-truth boxes to the last of them, even if it overlaps another more. Unmatched proposals ("negatives") go through
the network but carry no loss.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float64, Int64

from lfb_lightning.boxes import iou_matrix
from lfb_lightning.structures import GroundTruth


@dataclass(frozen=True, slots=True)
class TrainingPersons:
    """Persons of a training clip: positives first (ground truth before proposals), then negatives without labels."""

    boxes: Float64[np.ndarray, "P 4"]
    labels: Bool[np.ndarray, "P A"]
    num_positive: int
    source: Int64[np.ndarray, " P"]  # index into ground truth followed by proposals


def assign(
    truth_boxes: Float64[np.ndarray, "G 4"],
    proposals: Float64[np.ndarray, "P 4"],
    *,
    match_iou: float = 0.9,
    reassign_best: bool = True,
) -> Int64[np.ndarray, " P"]:
    """Assign proposals to ground-truth boxes; overlaps are compared in float32, as mmaction2 does.

    Args:
        truth_boxes: Annotated boxes, normalized xyxy.
        proposals: The proposals' boxes, likewise.
        match_iou: Least overlap of a match.
        reassign_best: Whether each ground-truth box also takes its best proposal.

    Returns:
        Index of each proposal's ground-truth box, -1 for none.
    """
    if len(truth_boxes) == 0 or len(proposals) == 0:
        return np.full(len(proposals), -1, dtype=np.int64)
    iou = iou_matrix(proposals, truth_boxes).astype(np.float32)  # [P, G]
    threshold = np.float32(match_iou)
    assigned = np.where(iou.max(axis=1) >= threshold, iou.argmax(axis=1), -1)
    if reassign_best:
        for box, best in enumerate(iou.max(axis=0)):
            if best >= threshold:
                assigned[iou[:, box] == best] = box
    return assigned.astype(np.int64)


def sample_persons(
    truth: GroundTruth,
    proposals: Float64[np.ndarray, "P 4"],
    *,
    match_iou: float = 0.9,
    num: int = 32,
    generator: torch.Generator | None = None,
) -> TrainingPersons:
    """Choose at most `num` training persons among ground truth and proposals; of too many, some are drawn.

    Args:
        truth: The annotated persons.
        proposals: Boxes of the detected ones, normalized xyxy.
        match_iou: Least overlap of a match.
        num: Persons per clip.
        generator: Draws from more positives or negatives than fit.
    """
    assigned = np.concatenate([np.arange(len(truth)), assign(truth.boxes, proposals, match_iou=match_iou)])
    boxes = np.concatenate([truth.boxes, proposals])
    positive = _draw(np.flatnonzero(assigned >= 0), num, generator)
    negative = _draw(np.flatnonzero(assigned < 0), num - len(positive), generator)
    labels = np.zeros((len(positive) + len(negative), truth.labels.shape[1]), dtype=bool)
    labels[: len(positive)] = truth.labels[assigned[positive]]
    source = np.concatenate([positive, negative]).astype(np.int64)
    return TrainingPersons(boxes[source], labels, len(positive), source)


def _draw(indices: Int64[np.ndarray, " N"], most: int, generator: torch.Generator | None) -> Int64[np.ndarray, " M"]:
    if len(indices) <= most:
        return indices
    chosen = torch.randperm(len(indices), generator=generator)[:most].numpy()
    return np.sort(indices[chosen])
