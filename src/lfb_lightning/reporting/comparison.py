"""How a run compares with the first one of a report: by how much, and whether that could be chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lfb_lightning.metrics.comparison import Comparison, compare
from lfb_lightning.reporting.subjects import Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A subject beside the first one.

    Args:
        comparable: Whether both were judged by the same ground truth, as far as is known.
        difference: The main figure minus that of the first subject; None where it says nothing.
        bootstrap: The interval of the difference over resampled videos; None without detections of both, or of one video.
        videos: How many videos were resampled.
        reason: Why there is no difference or no interval; empty if there are both.
    """

    comparable: bool
    difference: float | None = None
    bootstrap: Comparison | None = None
    videos: int = 0
    reason: str = ""


def compare_subjects(first: Subject, second: Subject, num_videos: int, *, resamples: int, seed: int) -> Compared:
    """Compare two subjects.

    Args:
        first: The one that the other is held against.
        second: The other.
        num_videos: How many videos their evaluator has numbered.
        resamples: How many draws of the videos are made.
        seed: Seed of the draws.

    Raises:
        InputError: `resamples` is less than 1.
    """
    one, two = first.evaluation, second.evaluation
    if one is not None and two is not None:
        if one.truth_digest() != two.truth_digest():
            return Compared(comparable=False, reason="it was judged by another ground truth or other classes")
        judged = {video for ranked in one.ranked for video in np.unique(ranked.truth_videos).tolist()}
        if not judged:
            return Compared(comparable=False, reason="there is no ground truth to compare on")
        found = compare(list(one.ranked), list(two.ranked), num_videos, resamples=resamples, seed=seed)
        if len(judged) == 1:
            reason = "no interval, since there is one video only"
            return Compared(comparable=True, difference=found.difference, videos=1, reason=reason)
        return Compared(comparable=True, difference=found.difference, bootstrap=found, videos=len(judged))
    if first.score is None or second.score is None or first.main_figure != second.main_figure:
        return Compared(comparable=False, reason="they have no figure in common")
    if not _truth(first) or not _truth(second):
        return Compared(comparable=False, reason="nothing says whether it was judged by the same ground truth")
    if _truth(first) != _truth(second):
        return Compared(comparable=False, reason="it was judged by another ground truth or other classes")
    lacking = "the first" if one is None else "it"
    return Compared(
        comparable=True,
        difference=second.score - first.score,
        reason=f"no interval, since {lacking} has no stored detections",
    )


def _truth(subject: Subject) -> dict[str, object]:
    """Return what is known of the truth of an evaluation without detections: boxes per class, or a digest of all of it."""
    if subject.evaluation is not None:
        return {str(key): count for key, count in subject.evaluation.result.num_ground_truth.items()}
    counts, digest = subject.metrics.get("num_ground_truth"), subject.metrics.get("truth_digest")
    if isinstance(digest, str):
        return {"digest": digest}
    return counts if isinstance(counts, dict) else {}
