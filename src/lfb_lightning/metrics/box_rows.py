"""Boxes with a class and a score, in columns: what evaluation works on.

A person's box stands once, not once an action: at AVA's size (millions of rows) that is most of the memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int


@dataclass(frozen=True, slots=True)
class BoxRows:
    """N rows; `frames` number the keyframes in common for ground truth and detections.

    `scores` are confidences for detections; for ground truth the person id, by which the official tool orders boxes.
    Row i has the box `boxes[box_of_row[i]]`.
    """

    frames: Int[np.ndarray, " N"]
    classes: Int[np.ndarray, " N"]
    scores: Float64[np.ndarray, " N"]
    box_of_row: Int[np.ndarray, " N"]
    boxes: Float64[np.ndarray, "M 4"]

    def __len__(self) -> int:
        return len(self.frames)

    def select(self, rows: np.ndarray) -> BoxRows:
        """Some of the rows, by mask or index."""
        return BoxRows(self.frames[rows], self.classes[rows], self.scores[rows], self.box_of_row[rows], self.boxes)

    def boxes_of(self, rows: np.ndarray) -> Float64[np.ndarray, "K 4"]:
        """The boxes of some rows."""
        return self.boxes[self.box_of_row[rows]]

    def with_area(self) -> BoxRows:
        """The rows whose box is neither empty nor inverted."""
        has_area = (self.boxes[:, 0] < self.boxes[:, 2]) & (self.boxes[:, 1] < self.boxes[:, 3])
        return self if has_area.all() else self.select(has_area[self.box_of_row])
