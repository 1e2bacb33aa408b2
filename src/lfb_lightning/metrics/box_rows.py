"""A table of boxes with a class and a score each: ground truth or detections, as the evaluators take them.

A person's box is stored once and not once per action; at AVA's size (millions of rows) that saves most of the memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int


@dataclass(frozen=True, slots=True)
class BoxRows:
    """A table of N rows, each a box with one class and one score, stored by column.

    Args:
        frames: The number of each row's keyframe, `[N]`; the ground truth and the detections share one numbering.
        classes: The action id of each row, `[N]`.
        scores: Confidences for detections; for ground truth the person id, by which the official tool orders boxes. `[N]`.
        box_of_row: Which of `boxes` each row refers to, `[N]`.
        boxes: The distinct boxes as `x1, y1, x2, y2`, `[M, 4]`, in any unit that both tables share.
    """

    frames: Int[np.ndarray, " N"]
    classes: Int[np.ndarray, " N"]
    scores: Float64[np.ndarray, " N"]
    box_of_row: Int[np.ndarray, " N"]
    boxes: Float64[np.ndarray, "M 4"]

    def __len__(self) -> int:
        return len(self.frames)

    def select(self, rows: np.ndarray) -> BoxRows:
        """Return a table of some of the rows, chosen by a mask `[N]` or by indices `[K]`; the boxes are shared."""
        return BoxRows(self.frames[rows], self.classes[rows], self.scores[rows], self.box_of_row[rows], self.boxes)

    def boxes_of(self, rows: np.ndarray) -> Float64[np.ndarray, "K 4"]:
        """Return the boxes of the rows with the given indices, `[K, 4]`."""
        return self.boxes[self.box_of_row[rows]]

    def with_area(self) -> BoxRows:
        """Return the rows whose boxes are neither empty nor inverted."""
        has_area = (self.boxes[:, 0] < self.boxes[:, 2]) & (self.boxes[:, 1] < self.boxes[:, 3])
        return self if has_area.all() else self.select(has_area[self.box_of_row])
