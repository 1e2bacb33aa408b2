"""When, by the clock on the wall, a second of a live source was there."""

from __future__ import annotations

_REMEMBERED = 300.0  # seconds; over so long, two clocks drift apart by some milliseconds


class WallClock:
    """Knows the wall's time of each second of a source: that of the frames that came with the least delay.

    A frame that waited in a buffer came later than that, so what waiting costs is seen. The least delay is that of the last
    five to ten minutes, since no two clocks run alike.
    """

    def __init__(self) -> None:
        self._least: float | None = None
        self._before: float | None = None
        self._since = 0.0

    def see(self, second: float, arrival: float) -> None:
        """Note a frame.

        Args:
            second: When it is shown by the source's clock.
            arrival: When it came, in seconds by another clock.
        """
        offset = arrival - second
        if self._least is None:
            self._least, self._since = offset, arrival
        elif arrival - self._since > _REMEMBERED:
            self._before, self._least, self._since = self._least, offset, arrival
        self._least = min(self._least, offset)

    def at(self, second: float) -> float:
        """Give the other clock's time of a second of the source; a frame must have been seen."""
        assert self._least is not None
        return second + (self._least if self._before is None else min(self._least, self._before))
