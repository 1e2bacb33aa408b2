"""Finding the frame of each whole second: the one whose presentation time is nearest to the second, and no other."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from lfb_lightning.errors import InputError

_RATE = re.compile(r"\d{1,9}(?:\.\d{1,9}|/\d{1,9})?")
_LAST_SECOND = 2**31
_NEARLY_WHOLE = 1e-6  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Frame numbers and times of a video as timestamps.

    Args:
        rate: Annotated frames per second, None where it is not known.
        origin: Timestamp of the first frame, in seconds.
        first_frame: The number that the file gives to the first frame.
    """

    rate: Fraction | None = None
    origin: Fraction = Fraction(0)
    first_frame: int = 0

    def at(self, rate: Fraction) -> Clock:
        """Return the same clock with another rate."""
        return replace(self, rate=rate)

    def second_of_frame(self, frame: int, where: str) -> int | None:
        """Return the whole second to which this frame is the nearest, or None if another frame is nearer.

        Args:
            frame: The frame's number in the file.
            where: The place in the file, for messages.

        Raises:
            InputError: The rate is not known, or the number is below the first frame's.
        """
        if self.rate is None:
            raise InputError(f"{where}: frames are numbered; give their number per second with --fps.")
        if frame < self.first_frame:
            raise InputError(
                f"{where}: frame {frame}, but the first frame is number {self.first_frame}: see --first-frame."
            )
        second = _second_of(frame - self.first_frame, self.rate, self.origin)
        return None if second is None else checked_second(second, where)

    def second_of_time(self, time: float, where: str) -> int | None:
        """Return the whole second to which the frame shown at a time is the nearest, or None.

        Args:
            time: Seconds since the video's start. Without a rate, only whole times are seconds.
            where: The place in the file, for messages.

        Raises:
            InputError: The time is negative or too large.
        """
        if not 0 <= time < _LAST_SECOND:
            raise InputError(f"{where}: time {time:g}, expected seconds since the video's start.")
        if self.rate is not None:
            return self.second_of_frame(round(time * self.rate) + self.first_frame, where)
        second = round(time)
        return None if abs(time - second) > _NEARLY_WHOLE else _second_of(second, Fraction(1), self.origin)

    def frame_of_second(self, second: int) -> int:
        """Return the number of the frame that is nearest to a second; the rate must be known."""
        assert self.rate is not None
        return round((second - self.origin) * self.rate) + self.first_frame

    def words(self) -> str:
        """Say the rate for a message, as in " at 25 frames per second"; empty if it is not known."""
        return "" if self.rate is None else f" at {float(self.rate):.6g} frames per second"


def checked_second(second: int, where: str) -> int:
    """Return the second; raises InputError if it is too large for any video."""
    if abs(second) >= _LAST_SECOND:
        raise InputError(f"{where}: second {second} is beyond what a csv holds; is --fps right?")
    return second


@lru_cache(maxsize=1 << 16)
def _second_of(index: int, rate: Fraction, origin: Fraction) -> int | None:
    second = round(index / rate + origin)
    return second if round((second - origin) * rate) == index else None


def parse_rate(text: str, where: str = "--fps") -> Fraction:
    """Read frames per second as written: 25, 29.97 or 30000/1001; raises InputError for anything else."""
    numerator, _, denominator = text.partition("/")
    if not _RATE.fullmatch(text) or not Fraction(numerator) or not int(denominator or 1):
        raise InputError(f"{where}: {text[:30]!r} found, expected frames per second such as 25, 29.97 or 30000/1001.")
    return Fraction(numerator) / int(denominator or 1)
