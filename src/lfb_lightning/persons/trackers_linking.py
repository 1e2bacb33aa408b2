"""Tracks by the `trackers` package, for persons that are detected five times per second or more often."""

from __future__ import annotations

import warnings

import numpy as np
from jaxtyping import Float64, Int64

from lfb_lightning.boxes import iou_matrix
from lfb_lightning.errors import InputError
from lfb_lightning.persons.keeping import missing_extra

_LEAST_RATE = 5.0
_PIXELS = 1000.0  # the package's motion model expects boxes of many pixels


class TrackersLinker:
    """Gives persons of consecutive moments their track ids with OC-SORT; it is used like a `PersonLinker`.

    The package knows a track from its second box on, and leaves out boxes that it has no track for. Here every box has an
    id: a track takes over the one that its first box was given.

    Args:
        rate: Moments per second, at least 5: below, boxes of walkers hardly overlap; `PersonLinker` is for those rates.
        aspect: Width / height of the picture.
        patience: Seconds after which a track that was not seen has ended.
        min_iou: Least overlap of a box with a track's predicted place.

    Raises:
        InputError: The package is missing, or the rate is below 5.
    """

    def __init__(self, *, rate: float, aspect: float = 16 / 9, patience: float = 3.0, min_iou: float = 0.2) -> None:
        if not rate >= _LEAST_RATE:
            raise InputError(
                f"detection rate {rate:g}: linking with `trackers` needs at least {_LEAST_RATE:g} per second."
            )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the package's own, at its import
                import supervision
                import trackers
        except ImportError as error:
            raise missing_extra("trackers", "trackers", key="linking at high rates") from error
        self._detections = supervision.Detections
        self._tracker = trackers.OCSORTTracker(
            frame_rate=rate,
            lost_track_buffer=round(30 * patience),  # counted in thirtieths of a second
            minimum_consecutive_frames=1,
            minimum_iou_threshold=min_iou,
            high_conf_det_threshold=0.0,
        )
        self._sides = np.array([aspect, 1.0, aspect, 1.0]) * _PIXELS
        self._numbers: dict[int, int] = {}  # by the package's ids
        self._waiting: list[tuple[int, Float64[np.ndarray, " 4"]]] = []  # boxes of the last moment that had no track
        self._next = 0

    def link(
        self, second: float, boxes: Float64[np.ndarray, "P 4"], scores: Float64[np.ndarray, " P"]
    ) -> Int64[np.ndarray, " P"]:
        """Link the persons of the next moment; see `PersonLinker.link`."""
        pixels = boxes * self._sides
        found = self._detections(xyxy=pixels, confidence=scores, data={"place": np.arange(len(boxes))})
        linked = self._tracker.update(found, timestamp=second)
        theirs = np.full(len(boxes), -1, dtype=np.int64)
        if len(linked):
            theirs[linked.data["place"]] = np.asarray(linked.tracker_id)
        ids = np.array([self._number(int(name), box) for name, box in zip(theirs, boxes, strict=True)], dtype=np.int64)
        self._waiting = [(int(ids[place]), boxes[place]) for place in np.flatnonzero(theirs < 0)]
        return ids

    def _number(self, name: int, box: Float64[np.ndarray, " 4"]) -> int:
        """Return our number for a box that the package has given an id, -1 for none."""
        if name in self._numbers:
            return self._numbers[name]
        number = self._taken_over(box) if name >= 0 else None
        if number is None:
            number, self._next = self._next, self._next + 1
        if name >= 0:
            self._numbers[name] = number
        return number

    def _taken_over(self, box: Float64[np.ndarray, " 4"]) -> int | None:
        """Return the number of the last moment's box without a track that overlaps this one most, and forget it."""
        if not self._waiting:
            return None
        overlaps = iou_matrix(box[None], np.stack([entry for _, entry in self._waiting]))[0]
        best = int(overlaps.argmax())
        return self._waiting.pop(best)[0] if overlaps[best] > 0 else None
