"""A result's detections by class and score, prepared so that evaluating them on resampled videos is cheap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from lfb_lightning.metrics.box_rows import BoxRows
from lfb_lightning.metrics.csv_evaluation import NumberedRows
from lfb_lightning.metrics.frame_ap import Protocol, assign, precision_recall


@dataclass(frozen=True, slots=True)
class RankedClass:
    """The detections of one class by descending score, and the videos of its ground truth.

    Args:
        action_id: The class.
        scores: Confidences, descending, `[N]`.
        is_true: Whether each detection is a true positive, `[N]`.
        videos: The number of each detection's video, `[N]`.
        truth_videos: The number of each ground-truth box's video, `[P]`.
    """

    action_id: int
    scores: Float64[np.ndarray, " N"]
    is_true: Bool[np.ndarray, " N"]
    videos: Int[np.ndarray, " N"]
    truth_videos: Int[np.ndarray, " P"]

    def curve(self) -> tuple[Float64[np.ndarray, " K"], Float64[np.ndarray, " K"]]:
        """Return precision and recall, `[K]` each, at each distinct score of a true positive."""
        return precision_recall(self.scores, self.is_true, max(len(self.truth_videos), 1))

    def average_precision(self, weights: Float[np.ndarray, " V"]) -> float:
        """Compute the AP when video `v` counts `weights[v]` times; NaN if no ground truth is left."""
        positives = float(weights[self.truth_videos].sum())
        if positives == 0:
            return float("nan")
        counted = weights[self.videos]
        last = np.append(self.scores[1:] != self.scores[:-1], True) if len(self.scores) else np.zeros(0, dtype=bool)
        true, found = np.cumsum(counted * self.is_true)[last], np.cumsum(counted)[last]
        precision = np.divide(true, found, out=np.zeros_like(true), where=found > 0)
        envelope = np.maximum.accumulate(precision[::-1])[::-1]
        return float(np.sum(np.diff(true / positives, prepend=0.0) * envelope))


def rank(rows: NumberedRows, action_ids: list[int], *, protocol: Protocol) -> Iterator[RankedClass]:
    """Rank the detections of a result by class.

    Args:
        rows: The ground truth and the detections.
        action_ids: The classes that are evaluated.
        protocol: Which published version of the official tool is followed; see `evaluate`.

    Yields:
        The ranked detections of each action id, in the given order.
    """
    truth, found, is_true = assign(
        rows.ground_truth, rows.detections, action_ids, protocol=protocol, annotated_frames=rows.annotated_frames
    )
    yield from rank_assigned(truth, found, is_true, rows.videos, action_ids)


def rank_assigned(
    truth: BoxRows,
    found: BoxRows,
    is_true: Bool[np.ndarray, " N"],
    videos: Int[np.ndarray, " F"],
    action_ids: list[int],
) -> Iterator[RankedClass]:
    """Rank detections that `assign` has judged; see `rank`.

    Args:
        truth: The ground truth that counts.
        found: The detections that count.
        is_true: Whether each of them is a true positive, `[N]`.
        videos: The number of each keyframe's video, `[F]`.
        action_ids: The classes that are evaluated.
    """
    for key in action_ids:
        mine = np.flatnonzero(found.classes == key)
        mine = mine[np.argsort(-found.scores[mine], kind="stable")]
        truth_videos = videos[truth.frames[truth.classes == key]]
        yield RankedClass(key, found.scores[mine], is_true[mine], videos[found.frames[mine]], truth_videos)
