"""AVA's official evaluation as its tool goes about it: csv rows into dictionaries, then frame by frame, class by class.

From the description of its semantics (best 50 of a frame through a heap, one comparison with the best overlapping box).
"""

import csv
import heapq
import sys
from collections import defaultdict

import numpy as np


def read(path, action_ids, cap):
    entries, boxes, labels, scores = defaultdict(list), defaultdict(list), defaultdict(list), defaultdict(list)
    with open(path, newline="") as file:  # noqa: PTH123 - as plain as it is there
        for row in csv.reader(file):
            key = f"{row[0]},{float(row[1]):.6f}"
            x1, y1, x2, y2 = (float(value) for value in row[2:6])
            action, score = int(row[6]), float(row[7])
            if action not in action_ids:
                continue
            entry = (score, action, y1, x1, y2, x2)
            if len(entries[key]) < cap:
                heapq.heappush(entries[key], entry)
            elif score > entries[key][0][0]:
                heapq.heapreplace(entries[key], entry)
    for key, heap in entries.items():
        for score, action, y1, x1, y2, x2 in sorted(heap, reverse=True):
            boxes[key].append([y1, x1, y2, x2])
            labels[key].append(action)
            scores[key].append(score)
    return boxes, labels, scores


def overlaps(first, second):
    height = np.maximum(
        0.0, np.minimum(first[:, None, 2], second[None, :, 2]) - np.maximum(first[:, None, 0], second[None, :, 0])
    )
    width = np.maximum(
        0.0, np.minimum(first[:, None, 3], second[None, :, 3]) - np.maximum(first[:, None, 1], second[None, :, 1])
    )
    shared = height * width
    area = lambda boxes: (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])  # noqa: E731
    return shared / (area(first)[:, None] + area(second)[None, :] - shared)


def mean_ap(ground_truth, detections, action_ids):
    truth_boxes, truth_labels, _ = read(ground_truth, action_ids, cap=10**9)
    found_boxes, found_labels, found_scores = read(detections, action_ids, cap=50)
    num_truth = dict.fromkeys(action_ids, 0)
    scores_of, hits_of = defaultdict(list), defaultdict(list)
    for key in truth_boxes:
        boxes, labels = np.array(truth_boxes[key]), np.array(truth_labels[key])
        for action in labels:
            num_truth[int(action)] += 1
        if key not in found_boxes:
            continue
        their_boxes, their_labels = np.array(found_boxes[key]), np.array(found_labels[key])
        their_scores = np.array(found_scores[key])
        valid = (their_boxes[:, 0] < their_boxes[:, 2]) & (their_boxes[:, 1] < their_boxes[:, 3])
        for action in range(1, max(action_ids) + 1):  # every id, whether it occurs or not
            mine = valid & (their_labels == action)
            candidates, scores, truth = their_boxes[mine], their_scores[mine], boxes[labels == action]
            if not len(candidates):
                continue
            order = np.argsort(-scores, kind="stable")  # a non-maximum suppression at IoU 1 comes down to this
            candidates, scores = candidates[order], scores[order]
            hits = np.zeros(len(candidates), dtype=bool)
            if len(truth):
                overlap = overlaps(candidates, truth)
                taken = np.zeros(len(truth), dtype=bool)
                for index, best in enumerate(overlap.argmax(axis=1)):
                    if overlap[index, best] >= 0.5 and not taken[best]:
                        hits[index] = taken[best] = True
            scores_of[action].append(scores)
            hits_of[action].append(hits)
    values = []
    for action in action_ids:
        if num_truth[action] == 0:
            continue
        if not scores_of[action]:
            values.append(0.0)
            continue
        scores, hits = np.concatenate(scores_of[action]), np.concatenate(hits_of[action])
        order = np.argsort(-scores, kind="stable")
        hits = hits[order]
        precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
        recall = np.cumsum(hits) / num_truth[action]
        precision = np.maximum.accumulate(precision[::-1])[::-1]
        values.append(float(np.sum(np.diff(recall, prepend=0.0) * precision)))
    return float(np.mean(values))


if __name__ == "__main__":
    truth, found, ids = sys.argv[1:4]
    print(repr(mean_ap(truth, found, [int(text) for text in ids.split(",")])))
