"""The official tool's limit on detections: it keeps the best of each frame, over all classes."""

from __future__ import annotations

import heapq

import numpy as np
from jaxtyping import Bool

from lfb_lightning.metrics.box_rows import BoxRows


def keep_best(detections: BoxRows, cap: int) -> Bool[np.ndarray, " N"]:
    """Find the rows that the official tool keeps: the `cap` best detections of each frame.

    Where detections at the limit differ in score, the best are found by sorting. Where they are equal, the outcome depends
    on the order of the file, and the tool's heap is replayed for that frame: a later row enters only with a strictly higher
    score, and the smallest of `(score, class, y1, x1, y2, x2)` leaves.

    Args:
        detections: The detected rows, in the order of the file.
        cap: How many are kept per frame.

    Returns:
        A mask `[N]` of the rows that are kept.
    """
    frames, scores = detections.frames, detections.scores
    kept = np.ones(len(frames), dtype=bool)
    if len(frames) == 0:
        return kept
    by_frame = np.argsort(frames, kind="stable")
    sorted_frames = frames[by_frame]
    starts = np.flatnonzero(np.append(True, sorted_frames[1:] != sorted_frames[:-1]))
    counts = np.diff(np.append(starts, len(frames)))
    for start, count in zip(starts[counts > cap].tolist(), counts[counts > cap].tolist(), strict=True):
        rows = by_frame[start : start + count]
        rows = rows[np.argsort(-scores[rows], kind="stable")]
        if scores[rows[cap - 1]] > scores[rows[cap]]:
            kept[rows[cap:]] = False
        else:
            kept[rows] = False
            kept[_replay_heap(np.sort(rows), detections, cap)] = True
    return kept


def _replay_heap(rows: np.ndarray, detections: BoxRows, cap: int) -> list[int]:
    heap: list[tuple[float, ...]] = []
    columns = (rows, detections.scores[rows], detections.classes[rows], detections.boxes_of(rows))
    for row, score, label, (x1, y1, x2, y2) in zip(*(column.tolist() for column in columns), strict=True):
        entry = (score, label, y1, x1, y2, x2, row)
        if len(heap) < cap:
            heapq.heappush(heap, entry)
        elif score > heap[0][0]:
            heapq.heapreplace(heap, entry)
    return [int(entry[-1]) for entry in heap]
