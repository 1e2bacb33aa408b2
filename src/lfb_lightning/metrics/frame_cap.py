"""The official tool's cap: the best detections of a frame over all classes, through a heap that the file order fills."""

from __future__ import annotations

import heapq

import numpy as np
from jaxtyping import Bool, Float64, Int64


def keep_best(
    frames: Int64[np.ndarray, " N"],
    scores: Float64[np.ndarray, " N"],
    classes: Int64[np.ndarray, " N"],
    boxes: Float64[np.ndarray, "N 4"],
    cap: int,
) -> Bool[np.ndarray, " N"]:
    """Mask of the rows that the tool keeps, `cap` a frame.

    Where the cap falls between two different scores this is a sort. Where it cuts through equal ones, the tool's heap is
    replayed for that frame: a later row enters only with a strictly higher score, and the least of
    (score, class, y1, x1, y2, x2) leaves.
    """
    kept = np.ones(len(frames), dtype=bool)
    if len(frames) == 0:
        return kept
    order = np.lexsort((-scores, frames))
    sorted_frames = frames[order]
    starts = np.flatnonzero(np.append(True, sorted_frames[1:] != sorted_frames[:-1]))
    ends = np.append(starts[1:], len(frames))
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        if end - start <= cap:
            continue
        rows = order[start:end]
        if scores[rows[cap - 1]] > scores[rows[cap]]:
            kept[rows[cap:]] = False
        else:
            kept[rows] = False
            kept[_replay_heap(np.sort(rows), scores, classes, boxes, cap)] = True
    return kept


def _replay_heap(rows: np.ndarray, scores: np.ndarray, classes: np.ndarray, boxes: np.ndarray, cap: int) -> list[int]:
    heap: list[tuple[float, ...]] = []
    for row, score, label, (x1, y1, x2, y2) in zip(
        rows.tolist(), scores[rows].tolist(), classes[rows].tolist(), boxes[rows].tolist(), strict=True
    ):
        entry = (score, label, y1, x1, y2, x2, row)
        if len(heap) < cap:
            heapq.heappush(heap, entry)
        elif score > heap[0][0]:
            heapq.heapreplace(heap, entry)
    return [int(entry[-1]) for entry in heap]
