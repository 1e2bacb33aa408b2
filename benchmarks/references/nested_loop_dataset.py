"""AVA's training list as it is usually built: rows into a dictionary of keyframes, boxes merged by nested loops.

From the description of the reference implementation's algorithm: every row a small dictionary, rows of a keyframe compared with each other
to find those of one box, excluded timestamps searched for in a list of texts, one dictionary a keyframe at the end.
"""

import csv
import pickle
from collections import defaultdict

import numpy as np


def build(annotations, excluded, proposals, num_classes=81):
    records = defaultdict(list)
    with open(annotations) as file:  # noqa: PTH123
        for line in file:
            parts = line.strip().split(",")
            label = int(parts[6])
            video, second = parts[0], int(parts[1])
            box = np.array(list(map(float, parts[2:6])))
            record = {
                "video_id": video,
                "timestamp": second,
                "entity_box": box,
                "label": label,
                "entity_id": int(parts[7]),
            }
            records[f"{video},{second:04d}"].append(record)
    infos = []
    for key, rows in records.items():
        boxes, labels, ids = parse_image(rows, num_classes)
        video, second = key.split(",")
        infos.append(
            {
                "video_id": video,
                "timestamp": int(second),
                "img_key": key,
                "gt_bboxes": boxes,
                "gt_labels": labels,
                "ids": ids,
            }
        )
    with open(excluded) as file:  # noqa: PTH123
        left_out = [",".join((row[0], row[1])) for row in csv.reader(file)]
    infos = [
        info for info in infos if not any(f"{info['video_id']},{info['timestamp']:04d}" == entry for entry in left_out)
    ]
    with open(proposals, "rb") as file:  # noqa: PTH123
        found = pickle.load(file)
    for info in infos:
        info["proposals"] = found.get(info["img_key"], np.array([[0, 0, 1, 1, 1]]))
    serialized = [np.frombuffer(pickle.dumps(info, protocol=4), dtype=np.uint8) for info in infos]
    return np.concatenate(serialized), np.cumsum([len(part) for part in serialized])


def parse_image(rows, num_classes):
    boxes, labels, ids = [], [], []
    rows = list(rows)
    while rows:
        first = rows[0]
        same = [row for row in rows if np.array_equal(row["entity_box"], first["entity_box"])]
        rows = [row for row in rows if not np.array_equal(row["entity_box"], first["entity_box"])]
        label = np.zeros(num_classes, dtype=np.float32)
        label[[row["label"] for row in same]] = 1
        boxes.append(first["entity_box"])
        labels.append(label)
        ids.append(first["entity_id"])
    return np.stack(boxes), np.stack(labels), np.stack(ids)
