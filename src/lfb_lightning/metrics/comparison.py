"""Is one result better than another, or is it the choice of videos? A paired bootstrap over videos."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lfb_lightning.errors import InputError
from lfb_lightning.metrics.ranking import RankedClass


@dataclass(frozen=True, slots=True)
class Comparison:
    """mAP of both results, and the 95 % interval of their difference (second - first) over resampled videos."""

    first: float
    second: float
    low: float
    high: float
    second_is_better: float  # share of the resamples

    @property
    def difference(self) -> float:
        """mAP of the second minus that of the first."""
        return self.second - self.first


def compare(
    first: list[RankedClass], second: list[RankedClass], num_videos: int, *, resamples: int, seed: int
) -> Comparison:
    """Draw the videos anew, with replacement, `resamples` times; both results are evaluated on the same draws."""
    if resamples < 1:
        raise InputError(f"resamples is {resamples}, expected at least 1.")
    judged = np.unique(np.concatenate([ranked.truth_videos for ranked in first]))
    if len(judged) == 0:
        raise InputError("there is no ground truth to compare on: is it the right label map?")
    generator = np.random.default_rng(seed)
    differences = np.empty(resamples)
    for number in range(resamples):
        drawn = generator.integers(0, len(judged), len(judged))
        weights = np.bincount(judged[drawn], minlength=num_videos).astype(np.float64)
        differences[number] = _mean(second, weights) - _mean(first, weights)
    everything = np.ones(num_videos)
    low, high = np.nanpercentile(differences, [2.5, 97.5]).tolist()
    return Comparison(
        _mean(first, everything), _mean(second, everything), low, high, float(np.nanmean(differences > 0))
    )


def _mean(classes: list[RankedClass], weights: np.ndarray) -> float:
    values = [ranked.average_precision(weights) for ranked in classes]
    return float(np.nanmean(values)) if not np.isnan(values).all() else float("nan")
