"""The moments of a video: when the detector is asked, and when persons are looked for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lfb_lightning.clock import Clock


@dataclass(frozen=True, slots=True)
class Moments:
    """The grid of moments, which begins with the video.

    Args:
        clock: What ticks count.
        step: Ticks from one scored moment to the next.
        detections: How often persons are looked for from one scored moment to the next.
    """

    clock: Clock
    step: int
    detections: int

    def ticks(self, seconds: float) -> range:
        """List the scored moments of a video of so many seconds; at least one."""
        return range(0, max(1, math.ceil(seconds * self.clock.ticks_per_second)), self.step)

    def seconds_from(self, tick: int, end: float) -> list[float]:
        """List the seconds at which persons are looked for from a scored moment up to the next one, its own first.

        Args:
            tick: The moment.
            end: Second at which the video ends.
        """
        begin, gap = (
            self.clock.seconds_in_video(tick),
            float(self.step / (self.clock.ticks_per_second * self.detections)),
        )
        return [begin, *(second for number in range(1, self.detections) if (second := begin + gap * number) < end)]
