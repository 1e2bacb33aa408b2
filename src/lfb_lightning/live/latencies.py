"""Latencies as counts, so that any number of them takes the same memory."""

from __future__ import annotations

import math

_STEPS_PER_FACTOR = 100.0  # bins per e-fold: a quantile is right to a percent
_LEAST = 1e-4
_BINS = 1800  # up to 6,500 seconds


class Latencies:
    """Counts latencies in bins that are 1 % wide.

    Attributes:
        count: How many there were.
        most: The longest, in seconds.
    """

    def __init__(self) -> None:
        self.count = 0
        self.most = 0.0
        self._bins = [0] * _BINS

    def add(self, seconds: float) -> None:
        """Count a latency, in seconds."""
        self.count += 1
        self.most = max(self.most, seconds)
        place = math.floor(_STEPS_PER_FACTOR * math.log(max(seconds, _LEAST) / _LEAST))
        self._bins[min(place, _BINS - 1)] += 1

    def quantile(self, part: float) -> float:
        """Give the latency that a part of them does not exceed, to a percent; 0 of none."""
        wanted = math.ceil(part * self.count)
        if wanted == 0:
            return 0.0
        seen = 0
        for place, number in enumerate(self._bins):
            seen += number
            if seen >= wanted:
                return min(self.most, _LEAST * math.exp((place + 1) / _STEPS_PER_FACTOR))
        return self.most
