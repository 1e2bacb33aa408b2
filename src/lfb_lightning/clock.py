"""The clock of data sets and banks: time is counted in whole ticks, and a clock states how many ticks make a second.

AVA's clock ticks once per second, Charades' 24 times, EPIC-Kitchens' 30 times, NTSC video's 30000/1001 times. All
arithmetic is exact (`fractions.Fraction`), so that no rounding decides which tick a moment is, or whether an entry lies
in a window.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int64

from lfb_lightning.errors import InputError

SECOND_LIMIT = 8_000_000  # 92 days; a second lies above minus this and below this
TICK_LIMIT = 1 << 31  # bank rows keep ticks as int32; keyframe keys (33 bits) and evaluation (microseconds) hold more
_MOST_TICKS_PER_SECOND = 100_000  # the official evaluator tells moments apart to the microsecond
_MOST_IN_64_BITS = 500_000  # 2 * 8e12 microseconds * this < 2^63
_EXACT = re.compile(r"[+-]?[0-9]{1,40}(\.[0-9]{0,40})?([eE][+-]?[0-9]{1,3})?(/[0-9]{1,40})?")


def exact(value: str | int | float | Fraction, what: str = "a number") -> Fraction:
    """Read a number exactly, as a fraction.

    Args:
        value: An integer, a decimal or a quotient such as "30000/1001". A float stands for the decimal that it prints
            as, so that 0.1 is 1/10.
        what: The key of a configuration, or another name to begin an error message with.

    Raises:
        InputError: The value is no such number.
    """
    text = str(value).strip()
    try:
        if isinstance(value, bool) or not _EXACT.fullmatch(text):
            raise ValueError
        top, _, bottom = text.partition("/")
        return Fraction(top) / Fraction(bottom or 1)
    except (ValueError, ZeroDivisionError) as error:
        raise InputError(f"{what} is {text[:40]!r}, expected a number such as 24, 0.5 or 30000/1001.") from error


@dataclass(frozen=True, slots=True)
class Clock:
    """How a data set or a bank counts time.

    Args:
        ticks_per_second: Ticks that make a second.
        origin: The second, by this clock, at which a video file begins: 900 for AVA's 15-minute cuts, 0 for whole
            files.

    Raises:
        InputError: The rate is not above 0, or above 100,000.
    """

    ticks_per_second: Fraction = Fraction(1)
    origin: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        if not 0 < self.ticks_per_second <= _MOST_TICKS_PER_SECOND:
            raise InputError(
                f"ticks_per_second is {self.ticks_per_second}, expected more than 0 and at most {_MOST_TICKS_PER_SECOND}."
            )

    @classmethod
    def parse(
        cls,
        ticks_per_second: str | int | float | Fraction = 1,
        origin: str | int | float | Fraction = 0,
        *,
        group: str = "data",
    ) -> Clock:
        """Make the clock that a configuration or a file describes.

        Args:
            ticks_per_second: Ticks that make a second, as `exact` reads numbers.
            origin: The second at which a video file begins, likewise.
            group: The configuration's group, to name keys in error messages by.

        Raises:
            InputError: One of them is no number, or out of bounds.
        """
        return cls(exact(ticks_per_second, f"{group}.ticks_per_second"), exact(origin, f"{group}.origin_second"))

    @property
    def tick_limit(self) -> int:
        """Bound of ticks: they lie above minus this and below this."""
        return min(TICK_LIMIT, math.ceil(SECOND_LIMIT * self.ticks_per_second))

    def seconds(self, tick: int) -> Fraction:
        """Compute the second at which a tick lies, exactly; `float` of it is the nearest float."""
        return tick / self.ticks_per_second

    def seconds_in_video(self, tick: int) -> float:
        """Compute the seconds from the start of the video file to a tick; negative for one before it."""
        return float(self.seconds(tick) - self.origin)

    def tick(self, second: str | int | float | Fraction | None) -> int:
        """Find the tick that lies at a second, to the microsecond, since files write a third of a second as 0.333333.

        Args:
            second: As a file or a configuration has it.

        Raises:
            ValueError: No tick lies there, or the second is out of bounds. The message says what was expected and what
                to do.
        """
        try:
            moment = exact("" if second is None else second)
        except InputError:
            raise ValueError(f"second {str(second)[:40]!r}, expected a number of seconds") from None
        tick = self._tick(moment)
        if tick is None:
            raise ValueError(f"second {str(second)[:40]!r}, {self.expected(float(moment))}")
        return tick

    def ticks(self, seconds: Float[np.ndarray, " N"]) -> tuple[Int64[np.ndarray, " N"], Bool[np.ndarray, " N"]]:
        """Find the ticks that lie at N seconds.

        Args:
            seconds: Seconds, NaN included.

        Returns:
            The ticks, and which of the seconds have one; 0 stands for those that have none.
        """
        if self.ticks_per_second == 1:
            on = (seconds == np.trunc(seconds)) & (np.abs(seconds) < SECOND_LIMIT)
            return np.where(on, seconds, 0).astype(np.int64), on
        bounded = np.abs(seconds) < SECOND_LIMIT  # NaN is not
        micros = np.rint(np.where(bounded, seconds, 0) * 1_000_000).astype(np.int64)
        # Numerators beyond any frame rate's need integers of more than 64 bits.
        whole = micros.astype(np.int64 if self.ticks_per_second.numerator < _MOST_IN_64_BITS else object)
        ticks, on = self._nearest(whole)
        on = on.astype(bool) & bounded & (np.abs(ticks) < self.tick_limit).astype(bool)
        return np.where(on, ticks, 0).astype(np.int64), on

    def expected(self, second: float) -> str:
        """Say what was expected in place of a second without a tick, and what to do: the end of an error message."""
        if not abs(second) < SECOND_LIMIT:  # NaN too
            return f"expected a second of a video, less than {SECOND_LIMIT:,}"
        if self.ticks_per_second == 1:
            return (
                "expected a whole second: for key frames between seconds set data.ticks_per_second=... to what they are "
                "multiples of (100 for 17.01, the frame rate for key frames at frames)"
            )
        tick = round(Fraction(repr(float(second))) * self.ticks_per_second)
        if abs(tick) >= self.tick_limit:
            return f"expected less than {self.tick_limit:,} ticks of {self.ticks_per_second} per second"
        return (
            f"expected a multiple of {1 / self.ticks_per_second} s; the nearest is {self.text(tick)}: write six decimals, or "
            "set data.ticks_per_second=... to what the key frames are multiples of"
        )

    def text(self, tick: int) -> str:
        """Write the second of a tick as csv files have it: four digits as AVA, six decimals where seconds are divided."""
        if self.ticks_per_second == 1:
            return f"{tick:04d}"
        microseconds = round(self.seconds(abs(tick)) * 1_000_000)
        return f"{'-' if tick < 0 else ''}{microseconds // 1_000_000}.{microseconds % 1_000_000:06d}"

    def _tick(self, second: Fraction) -> int | None:
        if self.ticks_per_second == 1:
            tick, on = int(second), second.denominator == 1
        else:
            tick, on = self._nearest(round(second * 1_000_000))
        return tick if on and abs(second) < SECOND_LIMIT and abs(tick) < self.tick_limit else None

    def _nearest(self, micros: Any) -> tuple[Any, Any]:
        """Find the ticks next to whole microseconds, and whether they lie there to the microsecond; arrays work too."""
        top, bottom = self.ticks_per_second.numerator, self.ticks_per_second.denominator * 1_000_000
        tick = (2 * micros * top + bottom) // (2 * bottom)
        return tick, abs(micros * top - tick * bottom) * 2 <= top


SECONDS = Clock()
"""AVA's clock: a tick per second."""
