"""Persons whose boxes the caller has, in Python."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt8

from lfb_lightning.errors import InputError
from lfb_lightning.structures import Proposals

_NEAR_SECONDS = 0.05


class BoxesBySecond:
    """Gives the persons whose boxes are known by second: a `PersonSource`.

    Args:
        boxes: A mapping of seconds since the first frame to normalized xyxy boxes `[P, 4]`, lists or arrays. A second that
            is missing has no persons.

    Raises:
        InputError: That is no mapping of seconds, or a box is none or lies outside of the picture.
    """

    def __init__(self, boxes: Any) -> None:
        if not isinstance(boxes, Mapping):
            raise InputError(
                f"boxes are a {type(boxes).__name__}, expected a mapping: {{second: [[x1, y1, x2, y2], ...]}}."
            )
        known = sorted(((_second(key), entry) for key, entry in boxes.items()), key=lambda item: item[0])
        self._seconds = np.array([second for second, _ in known], dtype=np.float64)
        self._boxes = [_checked(second, entry) for second, entry in known]

    def find(
        self, frames: Sequence[UInt8[np.ndarray, "H W 3"]], seconds: Sequence[float], video_id: str
    ) -> list[Proposals]:
        """Give the boxes of the seconds; see `PersonSource.find`."""
        return [Proposals(boxes, np.ones(len(boxes))) for boxes in map(self._at, seconds)]

    def describe(self) -> dict[str, Any]:
        """State which boxes they are."""
        content = b"".join([self._seconds.tobytes(), *(boxes.tobytes() for boxes in self._boxes)])
        return {"persons": "boxes", "sha256": hashlib.sha256(content).hexdigest()}

    def _at(self, second: float) -> np.ndarray:
        if len(self._seconds) == 0:
            return np.zeros((0, 4))
        nearest = int(np.abs(self._seconds - second).argmin())
        near = abs(self._seconds[nearest] - second) <= _NEAR_SECONDS
        return self._boxes[nearest] if near else np.zeros((0, 4))


def _second(key: Any) -> float:
    try:
        second = float(key)
    except (TypeError, ValueError, OverflowError):
        second = math.nan
    if not math.isfinite(second):
        raise InputError(f"boxes of second {str(key)[:40]}, expected a number of seconds since the first frame.")
    return second


def _checked(second: float, boxes: Any) -> np.ndarray:
    try:
        array = np.array(boxes, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:  # rows of unequal length, or no numbers
        raise InputError(f"boxes of second {second:g}: expected rows of four numbers: x1, y1, x2, y2.") from error
    if array.shape == (0,):
        return np.zeros((0, 4))
    if array.ndim != 2 or array.shape[1] != 4:
        shape = list(array.shape)
        raise InputError(
            f"boxes of second {second:g}: shape {shape}, expected [P, 4]: a row x1, y1, x2, y2 per person."
        )
    good = (array >= 0).all(axis=1) & (array <= 1).all(axis=1) & (array[:, 2:] > array[:, :2]).all(axis=1)
    if not good.all():
        raise InputError(
            f"boxes of second {second:g}: {array[~good][0].tolist()}, expected x1, y1, x2, y2 within 0..1: divide pixels by "
            "width and height."
        )
    return array
