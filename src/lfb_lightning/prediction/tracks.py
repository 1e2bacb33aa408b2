"""Which track each person belongs to: the choice of a linker, and how often it is shown persons."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Protocol, runtime_checkable

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


def make_linker(name: str, *, rate: float, aspect: float) -> Linker:
    """Make what links the persons of one video.

    Args:
        name: "own" links by how far persons move; "trackers" by that package, from 5 moments per second on.
        rate: Moments per second.
        aspect: Width / height of the picture.

    Raises:
        InputError: There is no such linker, or the rate is too low for it.
    """
    if name not in LINKERS:
        raise InputError(f"linker is {name!r}, expected one of {', '.join(LINKERS)}.")
    return PersonLinker(aspect=aspect) if name == "own" else TrackersLinker(rate=rate, aspect=aspect)


def detections_per_tick(detection_rate: float, ticks_per_second: Fraction) -> int:
    """Compute how often persons are looked for from one scored moment to the next.

    Args:
        detection_rate: How often per second.
        ticks_per_second: Scored moments per second.

    Raises:
        InputError: It is no whole number.
    """
    number = round(detection_rate / ticks_per_second)
    if number < 1 or abs(number * float(ticks_per_second) - detection_rate) > 1e-6 * detection_rate:
        raise InputError(
            f"detection_rate is {detection_rate:g}, expected a whole multiple of the detector's {float(ticks_per_second):g} "
            "moments per second."
        )
    return number


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
