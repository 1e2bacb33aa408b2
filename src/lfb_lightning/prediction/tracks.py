"""Which track each person belongs to: the choice of a linker, and how often it is shown persons."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64, Int64

from lfb_lightning.errors import InputError
from lfb_lightning.persons import PersonLinker, TrackersLinker
from lfb_lightning.prediction.moments import Moments
from lfb_lightning.prediction.observed import Observed

_MOST_PER_SECOND = 1000
LINKERS = ("own", "trackers")


@runtime_checkable
class Linker(Protocol):
    """What gives persons of consecutive moments their track ids: a `PersonLinker`, or anybody's own."""

    def link(
        self, second: float, boxes: Float64[np.ndarray, "P 4"], scores: Float64[np.ndarray, " P"]
    ) -> Int64[np.ndarray, " P"]:
        """Link the persons of the next moment; see `PersonLinker.link`."""
        ...


class Tracking:
    """How the persons of a video become tracks.

    Args:
        linker: "own" links by how far persons move; "trackers" by that package, from 5 moments per second on.
        detection_rate: How often per second persons are looked for; None: at the scored moments only.
        moments_per_second: Scored moments per second.

    Attributes:
        per_tick: How often persons are looked for from one scored moment to the next.

    Raises:
        InputError: There is no such linker, or the rate is no multiple of the scored moments' or too low for it.
    """

    def __init__(self, linker: str, detection_rate: float | int | None, moments_per_second: Fraction) -> None:
        if linker not in LINKERS:
            raise InputError(f"linker is {linker!r}, expected one of {', '.join(LINKERS)}.")
        least = float(moments_per_second)
        self._linker = linker
        self._rate = least if detection_rate is None else float(detection_rate)
        if not 0 < self._rate <= _MOST_PER_SECOND:
            raise InputError(
                f"detection_rate is {detection_rate}, expected more than 0 and at most {_MOST_PER_SECOND}."
            )
        self.per_tick = round(self._rate / least)
        if self.per_tick < 1 or abs(self.per_tick * least - self._rate) > 1e-6 * self._rate:
            raise InputError(
                f"detection_rate is {self._rate:g}, expected a whole multiple of the detector's {least:g} moments per second."
            )
        self.begin(1.0)  # refuses what does not work before anything is read

    def begin(self, aspect: float) -> Linker:
        """Make the linker of one video, whose pictures have some width / height."""
        return PersonLinker(aspect=aspect) if self._linker == "own" else TrackersLinker(rate=self._rate, aspect=aspect)

    def describe(self) -> list[Any]:
        """State what decides the tracks."""
        return [self._linker, self.per_tick]


def replay(linker: Linker, observed: Observed, moments: Moments, end: float) -> None:
    """Show a linker what it has linked before, so that it goes on from there.

    Args:
        linker: A new one, or one that has seen what was before.
        observed: What it has linked.
        moments: When persons were looked for.
        end: Second at which the video ends.
    """
    glimpses = observed.glimpses
    for number, tick in enumerate(observed.ticks):
        first, *others = moments.seconds_from(int(tick), end)
        here = observed.moment == number
        linker.link(first, observed.boxes[here], observed.scores[here])
        for second in others:
            there = glimpses.seconds == second
            linker.link(second, glimpses.boxes[there], glimpses.scores[there])
