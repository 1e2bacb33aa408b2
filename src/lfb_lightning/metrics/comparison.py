"""A paired bootstrap over videos: is one result better than another, or could it be the choice of videos?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lfb_lightning.errors import InputError
from lfb_lightning.metrics.ranking import RankedClass


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two results compare on the same videos.

    Args:
        first: The mAP of the first result, 0 to 1.
        second: The mAP of the second result, 0 to 1.
        low: The lower end of the 95 % interval of `second - first` over resampled videos; it and the next two are NaN where
            one video only has ground truth, since every draw is that video.
        high: The upper end of that interval.
        second_is_better: The share of the resamples in which the second result is better, 0 to 1.
    """

    first: float
    second: float
    low: float
    high: float
    second_is_better: float

    @property
    def difference(self) -> float:
        """The mAP of the second result minus that of the first."""
        return self.second - self.first


def compare(
    first: list[RankedClass], second: list[RankedClass], num_videos: int, *, resamples: int, seed: int
) -> Comparison:
    """Compare two results by evaluating both on the same random draws of videos, with replacement.

    Args:
        first: The ranked detections of the first result, one entry per class.
        second: Those of the second result, on the same ground truth.
        num_videos: How many videos the results number.
        resamples: How many draws are made.
        seed: Seed of the draws.

    Raises:
        InputError: There is no ground truth, or `resamples` is less than 1.
    """
    if resamples < 1:
        raise InputError(f"resamples is {resamples}, expected at least 1.")
    judged = np.unique(np.concatenate([ranked.truth_videos for ranked in first]))
    if len(judged) == 0:
        raise InputError("there is no ground truth to compare on: is it the right label map?")
    everything = np.ones(num_videos)
    if len(judged) == 1:
        nothing = float("nan")
        return Comparison(_mean(first, everything), _mean(second, everything), nothing, nothing, nothing)
    generator = np.random.default_rng(seed)
    differences = np.empty(resamples)
    for number in range(resamples):
        drawn = generator.integers(0, len(judged), len(judged))
        weights = np.bincount(judged[drawn], minlength=num_videos).astype(np.float64)
        differences[number] = _mean(second, weights) - _mean(first, weights)
    low, high = np.nanpercentile(differences, [2.5, 97.5]).tolist()
    return Comparison(
        _mean(first, everything), _mean(second, everything), low, high, float(np.nanmean(differences > 0))
    )


def _mean(classes: list[RankedClass], weights: np.ndarray) -> float:
    values = [ranked.average_precision(weights) for ranked in classes]
    return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")
