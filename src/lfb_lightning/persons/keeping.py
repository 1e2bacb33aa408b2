"""Which of a detector's boxes are kept, alike for every detector."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from lfb_lightning.errors import InputError
from lfb_lightning.ranges import refuse_out_of_range
from lfb_lightning.structures import Proposals


@dataclass(frozen=True, slots=True)
class Keeping:
    """Which of the boxes that a detector finds in a frame are persons to work with.

    Args:
        threshold: Least score, 0 to 1.
        max_persons: Most persons per frame; those with the best scores are kept.
        min_height: Least height of a box as a fraction of the picture's: smaller persons show no action.

    Raises:
        InputError: A value is out of its range; the message names the key.
    """

    threshold: float
    max_persons: int
    min_height: float

    def __post_init__(self) -> None:
        refuse_out_of_range("persons", self, {"threshold": (0, 1), "max_persons": (1, np.inf), "min_height": (0, 1)})

    def keep(
        self, boxes: Float[np.ndarray, "P 4"], scores: Float[np.ndarray, " P"], *, width: int = 1, height: int = 1
    ) -> Proposals:
        """Choose the persons of a frame.

        Args:
            boxes: Corners xyxy; those outside of the frame are moved to its edge. A box without area, or with a corner
                that is no number, is none.
            scores: The detector's confidences, in any order.
            width: The frame's width in the unit of the boxes.
            height: The frame's height.

        Returns:
            Normalized boxes, best score first; of equal scores, in the detector's order.
        """
        sides = np.array([width, height, width, height], dtype=np.float64)
        shown = np.clip(boxes.astype(np.float64) / sides, 0.0, 1.0)  # NaN stays
        scores = scores.astype(np.float64)
        with np.errstate(invalid="ignore"):
            wide, tall = shown[:, 2] > shown[:, 0], shown[:, 3] > shown[:, 1]
            kept = wide & tall & (scores >= self.threshold) & (shown[:, 3] - shown[:, 1] >= self.min_height)
        order = np.flatnonzero(kept)[np.argsort(-scores[kept], kind="stable")][: self.max_persons]
        return Proposals(boxes=shown[order], scores=scores[order])

    def describe(self) -> dict[str, Any]:
        """State the values, as they are part of a source's description."""
        return {"threshold": self.threshold, "max_persons": self.max_persons, "min_height": self.min_height}


def missing_extra(package: str, extra: str, *, key: str) -> InputError:
    """Make the error for a package that an adapter needs and that is not installed.

    Args:
        package: The package's name.
        extra: The extra of this package that brings it.
        key: What the user asked for it with, such as `persons=onnx`.
    """
    return InputError(f"{key} needs {package}, which is not installed: pip install 'lfb-lightning[{extra}]'.")
