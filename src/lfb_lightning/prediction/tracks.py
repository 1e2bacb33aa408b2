"""Which track each person belongs to: the choice of a linker, and how often it is shown persons."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64, Int64

from lfb_lightning.errors import InputError
from lfb_lightning.persons import PersonLinker, TrackersLinker
from lfb_lightning.prediction.observed import Glimpses, Observed

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
        ticks_per_second: Scored moments per second.

    Attributes:
        per_tick: How often persons are looked for from one scored moment to the next.

    Raises:
        InputError: There is no such linker, or the rate is no multiple of the scored moments' or too low for it.
    """

    def __init__(self, linker: str, detection_rate: float | int | None, ticks_per_second: Fraction) -> None:
        if linker not in LINKERS:
            raise InputError(f"linker is {linker!r}, expected one of {', '.join(LINKERS)}.")
        least = float(ticks_per_second)
        self._linker = linker
        self._rate = least if detection_rate is None else float(detection_rate)
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


def replay(linker: Linker, observed: Observed, seconds: Callable[[int], float]) -> None:
    """Show a linker what it has linked before, so that it goes on from there.

    Args:
        linker: A new one, or one that has seen what was before.
        observed: What it has linked.
        seconds: Gives the second of a tick.
    """
    glimpses = observed.glimpses
    seen: list[tuple[float, Observed | Glimpses, np.ndarray]] = [
        (seconds(int(tick)), observed, observed.moment == number) for number, tick in enumerate(observed.ticks)
    ]
    seen += [(float(second), glimpses, glimpses.seconds == second) for second in np.unique(glimpses.seconds)]
    for second, source, here in sorted(seen, key=lambda one: one[0]):
        linker.link(second, source.boxes[here], source.scores[here])
