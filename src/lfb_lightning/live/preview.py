"""What a preview shows: the newest picture in which persons were looked for, drawn as the overlay video has it."""

from __future__ import annotations

import io
import threading
import time
from dataclasses import replace

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from lfb_lightning.live.recognition import LiveMoment, Seen
from lfb_lightning.viz.frame_drawing import draw_persons
from lfb_lightning.viz.video_persons import TrackedPerson

_LONGEST_SIDE = 960
_QUALITY = 80
_UNKNOWN: tuple[float, list[tuple[str, float]]] = (0.0, [])
_LONGEST_MEMORY = 3.0  # seconds for which a track's actions are shown


class Picture:
    """The newest picture, for any number of viewers. The recognition only leaves it here; viewers draw.

    Args:
        threshold: Score from which an action is drawn.

    Attributes:
        number: Counts what has been left here.
    """

    def __init__(self, *, threshold: float) -> None:
        self.number = 0
        self._threshold = threshold
        self._changed = threading.Condition()
        self._drawing = threading.Lock()
        self._frame: UInt8[np.ndarray, "H W 3"] | None = None
        self._persons: list[TrackedPerson] = []
        self._actions: dict[int, tuple[float, list[tuple[str, float]]]] = {}
        self._second = 0.0
        self._drawn: tuple[int, bytes] = (0, b"")
        self._over = False

    def see(self, frame: UInt8[np.ndarray, "H W 3"], second: float, seen: Seen) -> None:
        """Take a picture and the persons in it; see `Watcher.see`."""
        with self._changed:
            self._frame, self._second = frame, second
            self._persons = [
                TrackedPerson(track=track, box=(x1, y1, x2, y2), actions=[])
                for track, (x1, y1, x2, y2) in zip(seen.tracks.tolist(), seen.persons.boxes.tolist(), strict=True)
            ]
            self._actions = {
                track: known for track, known in self._actions.items() if second - known[0] <= _LONGEST_MEMORY
            }
            self._tell()

    def tell(self, moment: LiveMoment) -> None:
        """Take the actions of a moment, which are shown until others are known; see `Watcher.tell`."""
        with self._changed:
            for person in moment:
                shown = [(name, score) for name, score in person.actions.items() if score >= self._threshold]
                self._actions[person.track] = (moment.second, shown)
            self._tell()

    def close(self) -> None:
        """Let viewers know that no picture follows."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def next(self, after: int, timeout: float) -> tuple[int, bytes] | None:
        """Wait for a picture that is newer than one, and draw it.

        Args:
            after: The number of the one that the viewer has; 0: none.
            timeout: Seconds after which it is given up.

        Returns:
            Its number and its JPEG; (`after`, nothing) if there is none in time; None if there will be none.
        """
        until = time.monotonic() + timeout
        with self._changed:
            while self.number <= after and not self._over:
                left = until - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return after, b""
            if self._over or self._frame is None:
                return None
        return self._newest()

    def _tell(self) -> None:
        self.number += 1
        self._changed.notify_all()

    def _newest(self) -> tuple[int, bytes]:
        """Draw the newest picture, once for all viewers."""
        with self._drawing:
            with self._changed:
                number, frame = self.number, self._frame
                persons = [replace(one, actions=self._actions.get(one.track, _UNKNOWN)[1]) for one in self._persons]
            assert frame is not None
            if self._drawn[0] != number:
                self._drawn = number, _jpeg(draw_persons(_smaller(frame), persons))
            return self._drawn


def _smaller(frame: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "h w 3"]:
    if max(frame.shape[:2]) <= _LONGEST_SIDE:
        return frame
    image = Image.fromarray(frame)
    image.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE), Image.Resampling.BILINEAR)
    return np.asarray(image)


def _jpeg(picture: UInt8[np.ndarray, "H W 3"]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=_QUALITY)
    return file.getvalue()
