"""Accuracy over segments with a verb and a noun each, as EPIC-Kitchens measures it.

Plain functions of arrays. The score of an action is that of its verb times that of its noun (softmax of each segment's own
scores), times the share of the noun among the verb's training segments if a prior is given. Only the order of actions is
needed, and sums of logits have it, without the underflow that lets products of small probabilities tie. The paper's code
multiplies probabilities in 32 bits, and is followed in that where its figures are wanted (`ties="order"`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from jaxtyping import Float, Float64, Int, Shaped
from numpy.typing import DTypeLike

from lfb_lightning.errors import InputError
from lfb_lightning.metrics.video_map import NAN, check_choice, refuse_nan

HEADS = ("verb", "noun")
TIES = ("truth", "order")
_TOP = 5
_PRIOR_EPSILON = 1e-5  # the paper's code adds it to each verb's share of all training segments
_CHUNK_NUMBERS = 1 << 22


def segment_accuracy(
    scores: Mapping[str, Float[np.ndarray, "N _"]],
    labels: Mapping[str, Int[np.ndarray, " N"]],
    *,
    participants: Sequence[str] | Shaped[np.ndarray, " N"] | None = None,
    tail: Mapping[str, Collection[int]] | None = None,
    unseen: Collection[str] | None = None,
    prior: Float[np.ndarray, "V M"] | None = None,
    ties: str | None = None,
    nan: str = "refuse",
) -> dict[str, dict[str, dict[str, float]]]:
    """Compute how often the true verb, noun and action are among the best one and the best five.

    A truth of probability 0 (a score of `-inf`, a pair with prior 0) is never found. A segment that is given twice counts
    twice, as in the official program; one that is not given does not count.

    Args:
        scores: Logits, `{"verb": [N, V], "noun": [N, M]}`, or of one of them only; log-probabilities are logits too.
        labels: The true class of each segment, `{"verb": [N], "noun": [N]}`.
        participants: Who recorded each segment; needed where `unseen` is given.
        tail: The rare classes, `{"verb": [..], "noun": [..]}`; with None there is no such part of the result.
        unseen: Participants without training videos; with None there is no such part of the result.
        prior: The probability of each noun given the verb, `[V, M]`, as `action_prior` makes it; None: actions have none.
        ties: `"truth"`: classes that tie with the true one do not push it down. `"order"`: as in the paper's code, whose
            probabilities have 32 bits, the verb or noun of a higher number ranks first, and the action of lower ones.
            None: `"order"` where a prior is given, which that code alone has, else `"truth"`.
        nan: `"refuse"` raises for a score that is no number; `"last"` ranks it behind all others, so that a truth without
            a score is not found.

    Returns:
        Percentages as `result["all"]["verb"]["accuracy_at_1"]`; the keys joined by underscores (`official_names`) are the
        official names. The parts are `all`, `tail` (segments of rare verbs for the verb, of rare nouns for the noun, of
        either for the action) and `unseen`; the last two have no `accuracy_at_5`. NaN where a part has no segment.

    Raises:
        InputError: A score is NaN, or a label has no column; the segment is named.
        ValueError: The arguments do not fit together.
    """
    ties = ties if ties is not None else "truth" if prior is None else "order"
    check_choice("ties", ties, TIES)
    check_choice("nan", nan, NAN)
    tables = {head: _checked(head, scores[head], labels[head], nan) for head in HEADS if head in scores}
    truth = {head: np.asarray(labels[head], dtype=np.int64) for head in tables}
    lengths = {len(values) for values in tables.values()}
    if len(lengths) != 1 or set(scores) - set(HEADS):
        raise ValueError(f"scores of {sorted(scores)} for {sorted(lengths)} segments, expected verbs, nouns or both")
    if ties == "order":
        tables = {head: _softmax(values, np.float32) for head, values in tables.items()}
    ranks = {head: _ranks(values, truth[head], ties) for head, values in tables.items()}
    if len(tables) == len(HEADS):
        ranks["action"] = _action_ranks(tables, truth, prior, ties)
    everyone = np.ones(lengths.pop(), dtype=bool)
    result = {"all": {task: _accuracies(rank, everyone, (1, _TOP)) for task, rank in ranks.items()}}
    if tail is not None:
        rare = {head: np.isin(truth[head], sorted(tail.get(head, ()))) for head in tables}
        rare["action"] = np.logical_or.reduce([*rare.values()])
        result["tail"] = {task: _accuracies(rank, rare[task], (1,)) for task, rank in ranks.items()}
    if unseen is not None:
        if participants is None or len(participants) != len(everyone):
            raise ValueError("participants of the segments are needed to tell the unseen ones")
        is_unseen = np.isin(np.asarray(participants, dtype=str), sorted(unseen))
        result["unseen"] = {task: _accuracies(rank, is_unseen, (1,)) for task, rank in ranks.items()}
    return result


def official_names(result: Mapping[str, Mapping[str, Mapping[str, float]]]) -> dict[str, float]:
    """Flatten what `segment_accuracy` returns: percentages by name, such as `all_verb_accuracy_at_1`.

    Args:
        result: The nested percentages.
    """
    return {
        f"{part}_{task}_{name}": value
        for part, tasks in result.items()
        for task, values in tasks.items()
        for name, value in values.items()
    }


def action_prior(
    verbs: Int[np.ndarray, " N"], nouns: Int[np.ndarray, " N"], *, num_verbs: int, num_nouns: int
) -> Float64[np.ndarray, "V M"]:
    """Estimate the probability of each noun given the verb from training segments, as the paper's code does.

    It is `f[v, n] / (sum over n of f[v, n] + 1e-5)` with `f` the share of the segments that have the pair; the constant lets
    the rows of rare verbs add up to less than 1.

    Args:
        verbs: The verb class of each training segment.
        nouns: The noun class of each.
        num_verbs: V.
        num_nouns: M.

    Returns:
        The prior; all 0 where there is no segment.

    Raises:
        InputError: A class is not below `num_verbs` or `num_nouns`.
    """
    for what, classes, count in (("verb", verbs, num_verbs), ("noun", nouns, num_nouns)):
        if len(classes) and not 0 <= int(np.min(classes)) <= int(np.max(classes)) < count:
            raise InputError(
                f"training segments: {what} classes {np.min(classes)} to {np.max(classes)}, expected 0 to {count - 1}."
            )
    pairs = np.asarray(verbs, dtype=np.int64) * num_nouns + np.asarray(nouns, dtype=np.int64)
    counts = np.bincount(pairs, minlength=num_verbs * num_nouns).reshape(num_verbs, num_nouns)
    frequency = counts / max(int(counts.sum()), 1)
    return frequency / (frequency.sum(axis=1, keepdims=True) + _PRIOR_EPSILON)


def action_scores(
    verbs: Float[np.ndarray, "N V"], nouns: Float[np.ndarray, "N M"], prior: Float[np.ndarray, "V M"] | None = None
) -> Float64[np.ndarray, "N V M"]:
    """Score every action of a few segments: softmax(verbs) x softmax(nouns), x the prior.

    Args:
        verbs: Logits.
        nouns: Logits.
        prior: See `segment_accuracy`.
    """
    scores = _softmax(verbs)[:, :, None] * _softmax(nouns)[:, None, :]
    return scores if prior is None else scores * prior


def _softmax(logits: np.ndarray, dtype: DTypeLike = np.float64) -> np.ndarray:
    values = np.asarray(logits, dtype=dtype)
    highest = values.max(axis=1, keepdims=True)
    powers = np.exp(values - np.where(np.isneginf(highest), 0, highest))
    return powers / np.maximum(powers.sum(axis=1, keepdims=True), np.finfo(powers.dtype).tiny)


def _checked(head: str, scores: np.ndarray, labels: np.ndarray, nan: str) -> np.ndarray:
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 2 or np.shape(labels) != values.shape[:1]:
        raise ValueError(f"{head}: scores {values.shape} and labels {np.shape(labels)}, expected [N, classes] and [N]")
    outside = np.flatnonzero((labels < 0) | (labels >= values.shape[1]))
    if len(outside):
        row = int(outside[0])
        raise InputError(
            f"{head} class {labels[row]} of segment {row} (from 0) has no column of scores, expected 0 to "
            f"{values.shape[1] - 1}; are these the scores of another data set?"
        )
    if nan == "refuse":
        refuse_nan(values, f"{head} scores")
    values = np.where(np.isnan(values), -np.inf, values)
    if np.isposinf(values).any():
        row, column = np.argwhere(np.isposinf(values))[0].tolist()
        raise InputError(
            f"{head} scores: infinite in row {row}, class {column} (both from 0), expected finite numbers."
        )
    return values


def _ranks(values: np.ndarray, truth: np.ndarray, ties: str) -> np.ndarray:
    """How many classes rank before the true one; five at least where it has no score."""
    mine = np.take_along_axis(values, truth[:, None], axis=1)
    before = values > mine
    if ties == "order":
        before |= (values == mine) & (np.arange(values.shape[1]) > truth[:, None])
    return np.where(mine[:, 0] == _nothing(ties), max(_TOP, values.shape[1]), before.sum(axis=1))


def _action_ranks(
    tables: Mapping[str, np.ndarray], truth: Mapping[str, np.ndarray], prior: np.ndarray | None, ties: str
) -> np.ndarray:
    """How many actions rank before the true one; exact below five, and at least five otherwise."""
    verbs, nouns = tables["verb"], tables["noun"]
    shape = (verbs.shape[1], nouns.shape[1])
    if prior is not None and prior.shape != shape:
        raise ValueError(f"prior {prior.shape}, expected {shape}")
    combine = np.multiply if ties == "order" else np.add  # probabilities; logarithms
    mine = combine(
        np.take_along_axis(verbs, truth["verb"][:, None], axis=1)[:, 0],
        np.take_along_axis(nouns, truth["noun"][:, None], axis=1)[:, 0],
    )
    if prior is None and ties == "truth":  # the best five are of the best five verbs and the best five nouns
        grid = _best(verbs)[:, :, None] + _best(nouns)[:, None, :]
        before = (grid > mine[:, None, None]).sum(axis=(1, 2))
    else:
        of_pair = np.ones(shape, dtype=verbs.dtype) if prior is None else prior
        if ties == "truth":
            of_pair = np.log(of_pair, out=np.full(shape, -np.inf), where=of_pair > 0)
        mine = combine(mine, of_pair[truth["verb"], truth["noun"]])
        place = truth["verb"] * shape[1] + truth["noun"]
        before = _count_before(verbs, nouns, of_pair, mine, place, ties)
    return np.where(mine == _nothing(ties), max(_TOP, shape[0] * shape[1]), before)


def _count_before(
    verbs: np.ndarray, nouns: np.ndarray, of_pair: np.ndarray, mine: np.ndarray, place: np.ndarray, ties: str
) -> np.ndarray:
    """How many of the pairs that the prior knows rank before those of score `mine` and number `place`."""
    combine = np.multiply if ties == "order" else np.add
    known_verbs, known_nouns = np.nonzero(of_pair != _nothing(ties))
    of_known, places = of_pair[known_verbs, known_nouns], known_verbs * of_pair.shape[1] + known_nouns
    step = max(1, _CHUNK_NUMBERS // max(len(of_known), 1))
    parts = [np.zeros(0, dtype=np.int64)]
    for at in range(0, len(mine), step):
        some = slice(at, at + step)
        pairs = combine(combine(verbs[some, known_verbs], nouns[some, known_nouns]), of_known)
        before = pairs > mine[some, None]
        if ties == "order":
            before |= (pairs == mine[some, None]) & (places < place[some, None])
        parts.append(before.sum(axis=1))
    return np.concatenate(parts)


def _nothing(ties: str) -> float:
    """The score that stands for a probability of 0."""
    return 0.0 if ties == "order" else -np.inf


def _best(values: np.ndarray) -> np.ndarray:
    return values if values.shape[1] <= _TOP else np.partition(values, -_TOP, axis=1)[:, -_TOP:]


def _accuracies(ranks: np.ndarray, counted: np.ndarray, best: Sequence[int]) -> dict[str, float]:
    mine = ranks[counted]
    # In this order of operations the official program's last digit comes out: 51.24999999999999, not 51.25.
    return {f"accuracy_at_{k}": float((mine < k).mean() * 100) if len(mine) else float("nan") for k in best}
