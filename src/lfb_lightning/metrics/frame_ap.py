"""Frame AP at IoU 0.5, equal to AVA's official evaluator (ActivityNet's `get_ava_performance.py`) and vectorized.

As in the official tool, a detection is compared only with the ground-truth box of its frame and class that it overlaps
most (the first of equals). It is a true positive if that overlap is at least 0.5 and no better scored detection took the
box, otherwise a false positive. A class with ground truth and no detection has AP 0; a class without ground truth has
none and is left out of the mean.

Detections of equal score share one threshold: the lowest value that the official tool, whose order varies, can print.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float64, Int, Int64

from lfb_lightning.errors import InputError
from lfb_lightning.metrics.box_rows import BoxRows
from lfb_lightning.metrics.frame_cap import keep_best

Protocol = Literal["official", "official_2019", "official_2018"]
PROTOCOLS: dict[str, Protocol] = {"ava": "official", **{name: name for name in get_args(Protocol)}}
Curve = tuple[Float64[np.ndarray, " K"], Float64[np.ndarray, " K"]]
IOU_THRESHOLD = 0.5
_CAP = {"official": 50, "official_2019": 50, "official_2018": None}


@dataclass(frozen=True, slots=True)
class FrameAP:
    """The result of an evaluation: average precision and counts by action id.

    Args:
        per_class: AP of each class, 0 to 1; NaN for a class without ground truth.
        num_ground_truth: Annotated boxes of each class.
        num_detections: Detections of each class that the protocol counts.
        num_true_positives: How many of those are true positives.
        curves: Precision and recall of each class with ground truth, as `precision_recall` gives them.
    """

    per_class: dict[int, float]
    num_ground_truth: dict[int, int]
    num_detections: dict[int, int]
    num_true_positives: dict[int, int]
    curves: dict[int, Curve] = field(default_factory=dict, compare=False, repr=False)

    @property
    def mean(self) -> float:
        """The mAP over all classes that have ground truth; NaN if none has."""
        return self.mean_over(list(self.per_class))

    def mean_over(self, action_ids: list[int] | tuple[int, ...]) -> float:
        """Return the mAP over some classes, leaving out those without ground truth; NaN if none is left."""
        values = [self.per_class[key] for key in action_ids if not np.isnan(self.per_class.get(key, np.nan))]
        return float(np.mean(values)) if values else float("nan")


def evaluate(
    ground_truth: BoxRows,
    detections: BoxRows,
    action_ids: list[int],
    *,
    protocol: Protocol = "official",
    annotated_frames: Int[np.ndarray, " F"] | None = None,
) -> FrameAP:
    """Compute the frame AP of every action id.

    Args:
        ground_truth: The annotated rows.
        detections: The detected rows; their keyframes are numbered as those of `ground_truth`.
        action_ids: The classes that are evaluated.
        protocol: Which published version of the official tool is followed. `official` is today's: the best 50 detections of
            a frame over all classes count, and detections on frames that are not annotated are ignored. `official_2019`
            counts those as false positives. `official_2018`, the version of most papers, also keeps every detection.
        annotated_frames: Numbers of the annotated keyframes, `[F]`. By default those with any ground-truth row, of a listed
            class or not.

    Raises:
        InputError: A ground-truth box that a detection is compared with is inverted.
    """
    if annotated_frames is None:
        annotated_frames = np.unique(ground_truth.frames)
    ground_truth, detections, is_true = assign(
        ground_truth, detections, action_ids, protocol=protocol, annotated_frames=annotated_frames
    )
    return _average_precisions(ground_truth, detections, is_true, action_ids)


def assign(
    ground_truth: BoxRows,
    detections: BoxRows,
    action_ids: list[int],
    *,
    protocol: Protocol,
    annotated_frames: Int[np.ndarray, " F"],
) -> tuple[BoxRows, BoxRows, Bool[np.ndarray, " N"]]:
    """Select the rows that a protocol counts, and decide for each detection whether it is a true positive.

    Args:
        ground_truth: The annotated rows.
        detections: The detected rows.
        action_ids: The classes that are evaluated; rows of other classes are dropped.
        protocol: See `evaluate`.
        annotated_frames: Numbers of the annotated keyframes, `[F]`.

    Returns:
        The counted ground truth, the counted detections, and a mask over the latter that is true for true positives.
    """
    ground_truth = ground_truth.select(np.isin(ground_truth.classes, action_ids))
    kept = np.isin(detections.classes, action_ids)
    if protocol == "official":  # each frame is capped on its own, so the ignored frames can be dropped first
        kept &= np.isin(detections.frames, annotated_frames)
    detections = detections.select(kept)
    cap = _CAP[protocol]
    if cap is not None:
        detections = detections.select(keep_best(detections, cap))
        ground_truth = ground_truth.select(_official_order(ground_truth))
    detections = detections.with_area()
    return ground_truth, detections, _true_positives(ground_truth, detections)


def _official_order(ground_truth: BoxRows) -> Int64[np.ndarray, " N"]:
    """Return the order in which the official tool, from 2019 on, compares ground truth: by descending person id per frame.

    Rows of equal id come in the order of a binary heap into which the tool pushed the file's rows. That heap is replayed
    only for frames that have such rows.
    """
    order = np.lexsort((-ground_truth.scores, ground_truth.frames))
    frames, scores = ground_truth.frames[order], ground_truth.scores[order]
    classes = ground_truth.classes[order]
    same = (frames[1:] == frames[:-1]) & (scores[1:] == scores[:-1]) & (classes[1:] == classes[:-1])
    for frame in np.unique(frames[1:][same]):
        rows = np.flatnonzero(ground_truth.frames == frame)
        low, high = np.searchsorted(frames, [frame, frame + 1])
        order[low:high] = _heap_order(ground_truth, rows)
    return order


def _heap_order(ground_truth: BoxRows, rows: np.ndarray) -> list[int]:
    heap: list[tuple[float, ...]] = []
    for row in rows.tolist():
        x1, y1, x2, y2 = ground_truth.boxes[ground_truth.box_of_row[row]].tolist()
        heapq.heappush(heap, (float(ground_truth.scores[row]), int(ground_truth.classes[row]), y1, x1, y2, x2, row))
    return [int(entry[-1]) for entry in sorted(heap, key=lambda entry: -entry[0])]


def _true_positives(ground_truth: BoxRows, detections: BoxRows) -> Bool[np.ndarray, " N"]:
    """Return a mask of the detections that take a ground-truth box."""
    width = int(max(ground_truth.classes.max(initial=0), detections.classes.max(initial=0))) + 1
    truth_group = ground_truth.frames.astype(np.int64) * width + ground_truth.classes
    truth_order = np.argsort(truth_group, kind="stable")
    truth_group, truth_boxes = truth_group[truth_order], ground_truth.boxes_of(truth_order)
    group = detections.frames.astype(np.int64) * width + detections.classes
    distinct, first, num_boxes = np.unique(truth_group, return_index=True, return_counts=True)
    place = np.searchsorted(distinct, group)
    rows = np.flatnonzero(np.append(distinct, -1)[place] == group)  # with ground truth of their class in their frame
    is_true = np.zeros(len(detections), dtype=bool)
    if len(rows) == 0:
        return is_true
    low, count = first[place[rows]], num_boxes[place[rows]]
    starts = np.cumsum(count) - count
    pair_row = np.repeat(rows, count)
    pair_truth = np.arange(count.sum()) - np.repeat(starts, count) + np.repeat(low, count)
    _refuse_inverted(truth_boxes[pair_truth])
    iou = _pairwise_iou(detections.boxes_of(pair_row), truth_boxes[pair_truth])
    best = np.maximum.reduceat(iou, starts)
    candidates = np.where(iou == np.repeat(best, count), np.arange(len(iou)), len(iou))
    chosen = pair_truth[np.minimum.reduceat(candidates, starts)]  # first of equal overlaps
    hits = np.flatnonzero(best >= IOU_THRESHOLD)
    by_score = hits[np.lexsort((-detections.scores[rows[hits]], chosen[hits]))]
    takes = np.ones(len(by_score), dtype=bool)
    takes[1:] = chosen[by_score][1:] != chosen[by_score][:-1]
    is_true[rows[by_score[takes]]] = True
    return is_true


def _pairwise_iou(first: Float64[np.ndarray, "N 4"], second: Float64[np.ndarray, "N 4"]) -> Float64[np.ndarray, " N"]:
    """Compute IoU row by row, in the official tool's order of operations, so that 0.5 means the same to the last bit."""
    height = np.maximum(0.0, np.minimum(first[:, 3], second[:, 3]) - np.maximum(first[:, 1], second[:, 1]))
    width = np.maximum(0.0, np.minimum(first[:, 2], second[:, 2]) - np.maximum(first[:, 0], second[:, 0]))
    intersection = height * width
    area_first = (first[:, 3] - first[:, 1]) * (first[:, 2] - first[:, 0])
    area_second = (second[:, 3] - second[:, 1]) * (second[:, 2] - second[:, 0])
    return intersection / (area_first + area_second - intersection)


def _refuse_inverted(boxes: Float64[np.ndarray, "N 4"]) -> None:
    inverted = (boxes[:, 2] < boxes[:, 0]) | (boxes[:, 3] < boxes[:, 1])
    if inverted.any():
        box = boxes[int(np.flatnonzero(inverted)[0])].tolist()
        raise InputError(f"ground truth: box {box} has x2 < x1 or y2 < y1; expected x1,y1,x2,y2.")


def _average_precisions(
    ground_truth: BoxRows, detections: BoxRows, is_true: Bool[np.ndarray, " N"], action_ids: list[int]
) -> FrameAP:
    order = np.argsort(detections.classes, kind="stable")
    classes = detections.classes[order]
    per_class, num_truth, num_detections, num_true = {}, {}, {}, {}
    curves: dict[int, Curve] = {}
    for key in action_ids:
        low, high = np.searchsorted(classes, [key, key + 1])
        rows = order[low:high]
        positives = int((ground_truth.classes == key).sum())
        num_truth[key], num_detections[key] = positives, len(rows)
        num_true[key] = int(is_true[rows].sum())
        if positives:
            curves[key] = precision_recall(detections.scores[rows], is_true[rows], positives)
        per_class[key] = _area(*curves[key]) if positives else float("nan")
    return FrameAP(per_class, num_truth, num_detections, num_true, curves)


def average_precision(scores: Float64[np.ndarray, " N"], is_true: Bool[np.ndarray, " N"], num_positives: int) -> float:
    """Compute the area under the interpolated precision-recall curve of a class.

    Args:
        scores: Confidences of its detections, in any order, `[N]`.
        is_true: Whether each detection is a true positive, `[N]`.
        num_positives: How many ground-truth boxes there are; without any, the result is NaN.
    """
    return _area(*precision_recall(scores, is_true, num_positives)) if num_positives else float("nan")


def _area(precision: Float64[np.ndarray, " K"], recall: Float64[np.ndarray, " K"]) -> float:
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * envelope))


def precision_recall(
    scores: Float64[np.ndarray, " N"], is_true: Bool[np.ndarray, " N"], num_positives: int
) -> tuple[Float64[np.ndarray, " K"], Float64[np.ndarray, " K"]]:
    """Compute precision and recall at each distinct score of a true positive, from the highest score down.

    Other thresholds are left out: they have the recall of the one before and less precision, so they are never part of the
    interpolated curve.

    Args:
        scores: Confidences of one class's detections, in any order, `[N]`.
        is_true: Whether each detection is a true positive, `[N]`.
        num_positives: How many ground-truth boxes there are, at least 1.

    Returns:
        Precision `[K]` and recall `[K]`, each 0 to 1.
    """
    thresholds, count = np.unique(-scores[is_true], return_counts=True)
    found = np.searchsorted(np.sort(-scores), thresholds, side="right")
    true = np.cumsum(count).astype(np.float64)
    return true / found, true / num_positives
