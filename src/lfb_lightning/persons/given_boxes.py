"""Persons from a file, in any form in which proposals are passed around."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from lfb_lightning.ava.proposals import read_proposals
from lfb_lightning.clock import Clock
from lfb_lightning.errors import InputError
from lfb_lightning.persons.keeping import Keeping
from lfb_lightning.structures import Keyframe, Proposals
from lfb_lightning.video.library import ENDINGS


class GivenBoxes:
    """Gives the boxes of a file: at each moment those of the nearest tick.

    Args:
        proposals: The file, as `ava.proposals.read_proposals` reads it: csv, pickle or json; as `lfb-detect` writes it.
        proposal_images: The json that names a detection json's image ids, where that does not do so itself.
        ticks_per_second: On multiples of 1 / this the file's timestamps lie.
        origin_second: The file's timestamp of a video's first frame: 0 for videos that are counted from their start, 900
            for AVA's 15-minute cuts.
        threshold: See `Keeping`, as for the other two.
        max_persons: Most persons per frame.
        min_height: Least height of a person.

    Raises:
        InputError: There is no such file, or it holds something else; the message names the row.
    """

    def __init__(
        self,
        *,
        proposals: str | None,
        proposal_images: str | None = None,
        ticks_per_second: str | int | float = 1,
        origin_second: str | int | float = 0.0,
        threshold: float = 0.5,
        max_persons: int = 100,
        min_height: float = 0.0,
    ) -> None:
        if proposals is None:
            raise InputError("persons.proposals is not set: give the file of boxes, .csv, .pkl or .json.")
        self._keeping = Keeping(threshold, max_persons, min_height)
        self._clock = Clock.parse(ticks_per_second, origin_second, group="persons")
        self._path = Path(proposals)
        self._table = read_proposals(self._path, images=proposal_images, clock=self._clock)
        self._ids = list(dict.fromkeys(keyframe.video_id for keyframe in self._table.keyframes))

    def find(
        self, frames: Sequence[UInt8[np.ndarray, "H W 3"]], seconds: Sequence[float], video_id: str
    ) -> list[Proposals]:
        """Look the persons up; see `PersonSource.find`.

        Args:
            frames: Not looked at.
            seconds: Each finds the boxes of the tick at most half a tick away; of two equally near, the later one's.
            video_id: As in the file; with a folder or a video's ending too many, what is left without them.

        Raises:
            InputError: The file has no boxes for this video at all.
        """
        named = self._named(video_id)
        rate, origin = self._clock.ticks_per_second, self._clock.origin
        found = []
        for second in seconds:
            tick = math.floor((Fraction(second) + origin) * rate + Fraction(1, 2))
            persons = self._table.above(Keyframe(named, tick), self._keeping.threshold)
            found.append(self._keeping.keep(persons.boxes, persons.scores))
        return found

    def describe(self) -> dict[str, Any]:
        """State the boxes' digest and how they are read."""
        digest = hashlib.sha256("\n".join(map(str, self._table.keyframes)).encode())
        for values in (self._table.persons.counts, self._table.boxes, self._table.scores):
            digest.update(np.ascontiguousarray(values).tobytes())
        clock = {"ticks_per_second": str(self._clock.ticks_per_second), "origin_second": float(self._clock.origin)}
        return {"source": "given boxes", "digest": digest.hexdigest()} | clock | self._keeping.describe()

    def _named(self, video_id: str) -> str:
        path = Path(video_id)
        stem = path.stem if path.suffix.lower() in ENDINGS else path.name  # `clip.1` is another video than `clip`
        for name in (video_id, path.name, stem):
            if name in self._ids:
                return name
        there = ", ".join(self._ids[:3]) + (", ..." if len(self._ids) > 3 else "")
        raise InputError(
            f"proposals {self._path}: no boxes for video {video_id}; there are some for {there or 'no video at all'}. Name "
            "the video as the file does."
        )
