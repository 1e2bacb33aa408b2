"""Which key frames a result did best and worst on, and what was found, missed and false there.

The score of a key frame with L labels (a person's action is one label) is the mean over its labels of the score with which
each was found, 0 where it was missed, minus the mean of its L strongest false detections. It lies between -1 and 1 for
scores between 0 and 1: at 1, every label was found with certainty and nothing else; at -1, only wrong things were.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int

from lfb_lightning.metrics.box_rows import BoxRows
from lfb_lightning.metrics.frame_ap import IOU_THRESHOLD
from lfb_lightning.reporting.evaluation import Evaluation

APART_SECONDS = 5  # neighbors look alike
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A box with what was found, missed and false there.

    Args:
        box: Corners `x1, y1, x2, y2`, in the unit of the files.
        annotated: Whether the box is ground truth; otherwise it is a false detection's.
        found: Action ids and scores of labels that were found, best first.
        missed: Action ids of labels that were not.
        false: Action ids and scores of the strongest false detections there, best first.
    """

    box: tuple[float, float, float, float]
    annotated: bool
    found: Sequence[tuple[int, float]]
    missed: Sequence[int]
    false: Sequence[tuple[int, float]]


def frame_scores(evaluation: Evaluation) -> tuple[Int[np.ndarray, " F"], Float64[np.ndarray, " F"]]:
    """Compute the score of each key frame that has a label.

    Returns:
        The numbers of the key frames, ascending, and their scores.
    """
    truth, found, is_true = evaluation.truth, evaluation.found, evaluation.is_true
    count = np.bincount(truth.frames, minlength=len(evaluation.keys))
    right = np.bincount(found.frames[is_true], found.scores[is_true], minlength=len(count))
    false = _strongest_false(evaluation, count)
    wrong = np.bincount(found.frames[false], found.scores[false], minlength=len(count))
    frames = np.flatnonzero(count)
    return frames, (right[frames] - wrong[frames]) / count[frames]


def choose(evaluation: Evaluation, scores: np.ndarray, frames: np.ndarray, number: int) -> list[int]:
    """Choose the key frames of the highest scores, none within some seconds of another of its video.

    Args:
        evaluation: Whose key frames they are.
        scores: What is high, `[F]`; of equal ones the first is taken.
        frames: The numbers of the key frames, `[F]`.
        number: How many are wanted; fewer are chosen where there are not so many.

    Returns:
        Places in `frames`, best first.
    """
    chosen: list[int] = []
    keys: list[int] = []
    for place in np.argsort(-scores, kind="stable").tolist():
        key = int(evaluation.keys[frames[place]])
        if len(chosen) == number:
            break
        if all(abs(key - other) > APART_SECONDS * _MICROSECONDS for other in keys):  # videos lie 200 days apart
            chosen.append(place)
            keys.append(key)
    return chosen


def regions(evaluation: Evaluation, frame: int) -> list[Region]:
    """Describe a key frame: its persons first, from the left, then places where there is none.

    Args:
        evaluation: The result.
        frame: The number of the key frame.
    """
    truth = evaluation.truth.select(np.flatnonzero(evaluation.truth.frames == frame))
    mine = np.flatnonzero(evaluation.found.frames == frame)
    found, is_true = evaluation.found.select(mine), evaluation.is_true[mine]
    persons, person_of = np.unique(truth.boxes[truth.box_of_row], axis=0, return_inverse=True)
    person_of = person_of.reshape(-1)
    hits: dict[int, tuple[int, float]] = {}  # a label's row: its action and score
    for row in np.flatnonzero(is_true):
        same = np.flatnonzero(truth.classes == found.classes[row])
        overlaps = _iou(_box(found, row), truth.boxes[truth.box_of_row[same]])
        hits[int(same[overlaps.argmax()])] = (int(found.classes[row]), float(found.scores[row]))
    false: dict[tuple[float, ...] | int, list[tuple[int, float]]] = {}
    wrong = np.flatnonzero(~is_true)
    for row in wrong[np.argsort(-found.scores[wrong], kind="stable")][: len(truth)]:
        overlaps = _iou(_box(found, row), persons)
        on_person = len(persons) > 0 and overlaps.max() >= IOU_THRESHOLD
        place = int(overlaps.argmax()) if on_person else tuple(_box(found, row).tolist())
        false.setdefault(place, []).append((int(found.classes[row]), float(found.scores[row])))
    shown = [
        Region(
            box=_corners(box),
            annotated=True,
            found=_best_first(hits[row] for row in np.flatnonzero(person_of == number).tolist() if row in hits),
            missed=[int(truth.classes[row]) for row in np.flatnonzero(person_of == number).tolist() if row not in hits],
            false=false.get(number, []),
        )
        for number, box in enumerate(persons)
    ]
    elsewhere = [(place, wrong) for place, wrong in false.items() if isinstance(place, tuple)]
    return shown + [
        Region(box=_corners(place), annotated=False, found=(), missed=(), false=wrong) for place, wrong in elsewhere
    ]


def _strongest_false(evaluation: Evaluation, count: np.ndarray) -> np.ndarray:
    """Return the rows of the false detections that count: in each key frame as many as it has labels."""
    found = evaluation.found
    rows = np.flatnonzero(~evaluation.is_true & (count[found.frames] > 0))
    rows = rows[np.lexsort((-found.scores[rows], found.frames[rows]))]
    frames = found.frames[rows]
    new = np.append(True, frames[1:] != frames[:-1])[: len(frames)]
    starts = np.flatnonzero(new)
    place = np.arange(len(frames)) - np.repeat(starts, np.diff(np.append(starts, len(frames))))
    return rows[place < count[frames]]


def _box(rows: BoxRows, row: int | np.integer) -> np.ndarray:
    return rows.boxes[rows.box_of_row[row]]


def _corners(box: Iterable[float]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = map(float, box)
    return x1, y1, x2, y2


def _best_first(pairs: Iterable[tuple[int, float]]) -> list[tuple[int, float]]:
    return sorted(pairs, key=lambda pair: -pair[1])


def _iou(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Compute the overlap of a box with others; 0 with one that has no area."""
    width = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
    height = np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1])
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    areas = [(one[..., 2] - one[..., 0]) * (one[..., 3] - one[..., 1]) for one in (box, others)]
    return np.divide(shared, areas[0] + areas[1] - shared, out=np.zeros_like(shared), where=shared > 0)
