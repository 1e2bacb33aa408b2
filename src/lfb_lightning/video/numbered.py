"""Finding the frames of a video in a folder: one series of numbered JPEGs, told apart from any other series there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from lfb_lightning.errors import InputError
from lfb_lightning.video.listing import once_per_folder

_NAME = re.compile(r"(?P<prefix>.*?)(?P<digits>[0-9]{1,18})(?P<ending>\.jpe?g)", re.IGNORECASE | re.DOTALL)
_NAMED = 4  # series in a message


@dataclass(frozen=True, slots=True)
class FrameSeries:
    """The files `<prefix><number><ending>` of a folder.

    Only numbers are kept, which take a hundredth of the memory of an hour's names: a name follows from its number and the
    number of digits.

    Args:
        folder: The folder.
        prefix: How the names begin.
        digits: To how many digits numbers are padded with zeros.
        ending: The names' ending, such as `.jpg`.
        numbers: The numbers that are there, ascending, `[N]`.
        odd: The names that do not follow from their number in this way.
        twice: Two names with the same number, or None.
    """

    folder: Path
    prefix: str
    digits: int
    ending: str
    numbers: Int64[np.ndarray, " N"]
    odd: Mapping[int, str]
    twice: tuple[str, str] | None

    @property
    def first(self) -> int:
        """The lowest number."""
        return int(self.numbers[0])

    @property
    def last(self) -> int:
        """The highest number."""
        return int(self.numbers[-1])

    @property
    def has_gaps(self) -> bool:
        """Whether numbers between the lowest and the highest are missing."""
        return len(self.numbers) <= self.last - self.first

    def __contains__(self, number: int) -> bool:
        place = int(np.searchsorted(self.numbers, number))
        return place < len(self.numbers) and int(self.numbers[place]) == number

    def path(self, number: int) -> Path:
        """Return the file of a number; the number must be there."""
        return self.folder / self.odd.get(number, f"{self.prefix}{number:0{self.digits}d}{self.ending}")


def frame_series(folder: Path, prefix: str | None) -> FrameSeries:
    """Find a series of frames in a folder.

    Args:
        folder: The folder.
        prefix: What stands before the number in the names; None takes the only series that is there.

    Raises:
        InputError: There is none, there are several to choose from, or two files have the same number.
    """
    series = _series_by_prefix(folder)
    there = ", ".join(
        f"{entry.path(entry.first).name} ({len(entry.numbers)} files)" for entry in list(series.values())[:_NAMED]
    )
    if prefix is not None and prefix not in series:
        raise InputError(
            f"frames {folder}: no {prefix}<number>.jpg in it; there are {there or 'no numbered JPEGs'}; see "
            "data.frame_prefix."
        )
    if not series:
        raise InputError(f"frames {folder}: no numbered .jpg in it; see data.video_dir and data.source.")
    if prefix is None and len(series) > 1:
        raise InputError(
            f"frames {folder}: JPEGs of {len(series)} series lie in it: {there}; set data.frame_prefix to the beginning of "
            "the frames' names, as in data.frame_prefix=img_, or move the others away."
        )
    chosen = next(iter(series.values())) if prefix is None else series[prefix]
    if chosen.twice is not None:
        first, second = chosen.twice
        raise InputError(f"frames {folder}: {first} and {second} carry one number; keep the one that is the frame.")
    return chosen


@once_per_folder
def _series_by_prefix(names: Sequence[str], folder: Path) -> dict[str, FrameSeries]:
    by_prefix: dict[str, list[re.Match[str]]] = {}
    for name in names:
        if match := _NAME.fullmatch(name):
            by_prefix.setdefault(match["prefix"], []).append(match)
    return {prefix: _series(folder, prefix, matches) for prefix, matches in by_prefix.items()}


def _series(folder: Path, prefix: str, matches: list[re.Match[str]]) -> FrameSeries:
    matches = sorted(matches, key=lambda match: int(match["digits"]))
    digits, ending = len(matches[0]["digits"]), matches[0]["ending"]
    names: dict[int, str] = {}
    odd: dict[int, str] = {}
    twice = None
    for match in matches:
        number, name = int(match["digits"]), match[0]
        if number in names:
            twice = twice or (names[number], name)
        names[number] = name
        if name != f"{prefix}{number:0{digits}d}{ending}":
            odd[number] = name
    return FrameSeries(folder, prefix, digits, ending, np.array(list(names), dtype=np.int64), odd, twice)
