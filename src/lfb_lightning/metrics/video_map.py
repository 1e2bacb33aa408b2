"""The mAP over videos as Charades measures it: how well each class ranks the videos in which it happens.

Plain functions of arrays. Published programs differ in what equal scores and videos without any action mean; each of their
rules is a value of `ties` and `unlabeled` here:

* the paper's code, PySlowFast and scikit-learn: `ties="threshold"`, `unlabeled="drop"`, the default;
* `Charades_v1_classify.m`: `ties="order"`, `unlabeled="last"`, `nan="last"`;
* `Charades_v1_localize.m`, whose rows are moments of videos: `ties="order"`, `unlabeled="negative"`, `nan="last"`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Float64, Int, Int64, Shaped

from lfb_lightning.errors import InputError

TIES = ("threshold", "order", "worst", "best")
UNLABELED = ("drop", "last", "negative")
NAN = ("refuse", "last")


def video_mean_ap(
    scores: Float[np.ndarray, "V C"],
    labels: Shaped[np.ndarray, "V C"],
    *,
    ties: str = "threshold",
    unlabeled: str = "drop",
    nan: str = "refuse",
) -> tuple[Float64[np.ndarray, " C"], float]:
    """Compute the average precision of each class over videos, and its mean.

    The AP of a class is the mean, over the videos in which it happens, of the precision among the videos that score at
    least as high. A video without a score is given as a row of `-inf`, which ranks behind every other.

    Args:
        scores: One row per video (or per moment), one column per class; any increasing function of them gives the same.
        labels: Whether each class happens in each video: 0 or 1.
        ties: What equal scores mean. `"threshold"`: they are found at once, so the result does not depend on any order;
            `"order"`: the earlier row ranks first; `"worst"` and `"best"`: the least and the largest AP that any order
            gives.
        unlabeled: What happens to videos without any class. `"drop"`: they do not count; `"last"`: they rank behind all
            others, whatever their scores; `"negative"`: they count with their scores.
        nan: `"refuse"` raises for a score that is no number; `"last"` ranks it behind all others, `-inf` included.

    Returns:
        The AP of each class, 0 to 1, NaN where no video has the class; and the mean of those that are not NaN, NaN if all
        are.

    Raises:
        InputError: A score is NaN, naming the first, or an argument is not among its values.
        ValueError: A label is neither 0 nor 1.
    """
    check_choice("ties", ties, TIES)
    check_choice("unlabeled", unlabeled, UNLABELED)
    check_choice("nan", nan, NAN)
    values, positive = _checked(scores, labels)
    is_labeled = np.asarray(positive.any(axis=1))
    if unlabeled == "drop":
        values, positive = values[is_labeled], positive[is_labeled]
    if nan == "refuse":
        refuse_nan(values, "scores", rows=np.flatnonzero(is_labeled) if unlabeled == "drop" else None)
    if unlabeled == "last":
        values = np.where(is_labeled[:, None], values, -np.inf)
    per_class = _average_precisions(values, positive, ties)
    has_positive = positive.any(axis=0)
    return per_class, float(per_class[has_positive].mean()) if has_positive.any() else float("nan")


def weighted_mean(per_class: Float64[np.ndarray, " C"], labels: np.ndarray) -> float:
    """Average APs weighted by the number of videos that have each class (the `WAP` of the official program).

    Args:
        per_class: The AP of each class, `[C]`; NaN where no video has it.
        labels: 0 or 1, `[V, C]`.

    Returns:
        The mean, 0 to 1; NaN if there is no positive at all.
    """
    counts = np.asarray(labels).astype(bool).sum(axis=0)
    judged = counts > 0
    if not judged.any():
        return float("nan")
    return float((per_class[judged] * counts[judged]).sum() / counts.sum())


def max_over_views(
    scores: Float[np.ndarray, "N C"], items: Int[np.ndarray, " N"], views: Int[np.ndarray, " N"] | None = None
) -> tuple[Int64[np.ndarray, " V"], Float64[np.ndarray, "V C"]]:
    """Reduce the scores of several views (clips, crops) of a video to their maximum, class by class.

    A view counts once: where a sampler or a batch's padding repeats it, the first row is the one that counts.

    Args:
        scores: One row per view, in any order; NaN stays NaN.
        items: The number of each row's video.
        views: The number of each row's view among those of its video; None: every row is another view.

    Returns:
        The numbers of the videos, ascending, and a row for each.
    """
    items = np.asarray(items, dtype=np.int64)
    if len(items) == 0:
        return items, scores.astype(np.float64)
    order = np.argsort(items, kind="stable") if views is None else np.lexsort((views, items))
    if views is not None:
        counts = np.append(True, (np.diff(items[order]) != 0) | (np.diff(views[order]) != 0))
        order = order[counts]
    numbers, starts = np.unique(items[order], return_index=True)
    return numbers, np.maximum.reduceat(scores[order], starts, axis=0).astype(np.float64)  # converted once it is small


def check_choice(name: str, value: str, allowed: Sequence[str]) -> None:
    """Raise InputError where an argument has none of its values.

    Args:
        name: The argument.
        value: What it is.
        allowed: Its values.
    """
    if value not in allowed:
        raise InputError(f"{name} is {value!r}, expected one of {', '.join(allowed)}.")


def refuse_nan(values: np.ndarray, what: str, rows: np.ndarray | None = None) -> None:
    """Raise InputError where a score is NaN, naming the first one.

    Args:
        values: The scores, `[N, C]`.
        what: What they are, for the message.
        rows: The number of each row for the message; by default its place.
    """
    places = np.argwhere(np.isnan(values))
    if len(places):
        row, column = places[0].tolist()
        row = row if rows is None else int(rows[row])
        raise InputError(
            f"{what}: {len(places)} are NaN, the first in row {row}, class {column} (both from 0), expected numbers; look "
            'for the cause in the model, or rank them behind all others with nan="last".'
        )


def _average_precisions(values: np.ndarray, positive: np.ndarray, ties: str) -> np.ndarray:
    if ties in ("worst", "best"):  # a stable sort keeps this order among equal scores
        first = np.argsort(positive if ties == "worst" else ~positive, axis=0, kind="stable")
        values, positive = np.take_along_axis(values, first, axis=0), np.take_along_axis(positive, first, axis=0)
    order = np.argsort(-values, axis=0, kind="stable")  # NaN comes last
    hits = np.take_along_axis(positive, order, axis=0)
    found = np.cumsum(hits, axis=0)
    precision = found / np.arange(1, len(values) + 1)[:, None]
    if ties == "threshold" and len(values):
        precision = np.take_along_axis(precision, _ends_of_ties(np.take_along_axis(values, order, axis=0)), axis=0)
    totals = positive.sum(axis=0)
    sums = np.where(hits, precision, 0.0).sum(axis=0)
    return np.divide(sums, totals, out=np.full(values.shape[1], np.nan), where=totals > 0)


def _ends_of_ties(descending: np.ndarray) -> np.ndarray:
    """The last place of those that are equal to each, down every column."""
    following, current = descending[1:], descending[:-1]
    is_end = np.ones(descending.shape, dtype=bool)
    is_end[:-1] = (current != following) & ~(np.isnan(current) & np.isnan(following))
    places = np.where(is_end, np.arange(len(descending))[:, None], len(descending))
    return np.minimum.accumulate(places[::-1], axis=0)[::-1]


def _checked(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    values, truth = np.asarray(scores, dtype=np.float64), np.asarray(labels)
    if values.ndim != 2 or truth.shape != values.shape:
        raise ValueError(f"scores {values.shape} and labels {truth.shape}, expected two tables [V, C] of one shape")
    if not ((truth == 0) | (truth == 1)).all():
        raise ValueError("labels hold other values than 0 and 1")
    return values, truth.astype(bool)
