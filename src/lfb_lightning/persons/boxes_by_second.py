"""Persons whose boxes the caller has, in Python."""

from __future__ import annotations

import hashlib
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
        boxes: Normalized xyxy boxes `[P, 4]`, lists or arrays, by second since the first frame. A second that is missing has
            no persons.

    Raises:
        InputError: A box is none, or lies outside of the picture.
    """

    def __init__(self, boxes: Mapping[Any, Any]) -> None:
        self._seconds = np.array(sorted(boxes), dtype=np.float64)
        self._boxes = [_checked(second, boxes[second]) for second in sorted(boxes)]

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


def _checked(second: Any, boxes: Any) -> np.ndarray:
    array = np.array(boxes, dtype=np.float64).reshape(-1, 4) if len(boxes) else np.zeros((0, 4))
    good = (array >= 0).all(axis=1) & (array <= 1).all(axis=1) & (array[:, 2:] > array[:, :2]).all(axis=1)
    if not good.all():
        raise InputError(
            f"boxes of second {second}: {array[~good][0].tolist()}, expected x1, y1, x2, y2 within 0..1: divide pixels by "
            "width and height."
        )
    return array
