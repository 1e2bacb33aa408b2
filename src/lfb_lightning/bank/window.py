"""Chooses which rows of a video a window takes, and the slot that each one gets.

It is vectorized: the rows of a window are one contiguous range, so a choice is at most a sort within ticks, never a
loop over rows.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import lcm
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Int64

from lfb_lightning.clock import SECOND_LIMIT, Clock
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe

_MOST_SLOTS = 1_000_000  # 55 hours of 5 persons per second: more is a mistake, or a file that wants memory

Layout = Literal["grid", "packed"]
Placement = Literal["centered", "causal"]
Selection = Literal["random", "top_score"]


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """The part of a bank that a key frame sees, and how it is laid out in slots.

    Args:
        before: Seconds before the key frame that belong to the window, the moment at which it begins included.
        after: Seconds after it, the moment at which it ends included.
        slots: Features that the window has room for.
        per_tick: Features that are taken of one moment at most (of a grid: of one cell).
        layout: `grid` (AVA) gives each cell of time `per_tick` slots of its own, filled from the front; a cell is a tick of
            the bank, or as many ticks as the bank's spacing says, or what lies between two `edges`. `packed` (the paper on
            Charades and EPIC-Kitchens) fills the slots in order of time with the first `slots` features, and leaves the
            rest empty.
        selection: Of a moment with more features than that, take a `random` choice or those of the best detector scores
            (`top_score`). The chosen ones keep the order in which they are stored, best score first as lfb-extract writes
            them: no FBO depends on it, and reading is faster.
        edges: Of a grid: where its cells begin, and where the last one ends, in seconds from the key frame (`cells.py`).
            What lies outside of `before` and `after` is left out nevertheless. Empty: cells of ticks.

    Raises:
        InputError: For a window without a slot or of negative length, or a grid whose slots are no whole number of cells.
        ValueError: There are not as many edges as cells and one, or they do not ascend.
    """

    before: Fraction | int = 30
    after: Fraction | int = 29
    slots: int = 300
    per_tick: int = 5
    layout: Layout = "grid"
    selection: Selection = "top_score"
    edges: tuple[Fraction | int, ...] = ()

    def __post_init__(self) -> None:
        if self.slots < 1 or self.per_tick < 1 or self.before + self.after < 0:
            raise InputError(
                f"a bank window of {self.slots} slots, {self.per_tick} per tick, from {self.before} s before a key frame to "
                f"{self.after} s after it; slots, features per tick and length must be at least 1, 1 and 0."
            )
        if not all(-SECOND_LIMIT < float(side) < SECOND_LIMIT for side in (self.before, self.after)):
            raise InputError(f"a bank window of {SECOND_LIMIT:,} seconds or more; expected less.")
        if self.slots > _MOST_SLOTS:
            raise InputError(f"a bank window of {self.slots} slots, expected at most {_MOST_SLOTS:,} slots.")
        if self.layout == "grid" and self.slots % self.per_tick:
            raise InputError(
                f"bank.slots is {self.slots}, expected a multiple of bank.features_per_second: {self.per_tick}."
            )
        if self.edges and (self.layout != "grid" or len(self.edges) != self.slots // self.per_tick + 1):
            raise ValueError(f"{len(self.edges)} edges of a {self.layout} with {self.slots // self.per_tick} cells")
        if any(later <= edge for edge, later in pairwise(self.edges)):
            raise ValueError(f"the edges of cells do not ascend: {', '.join(map(str, self.edges))}")

    @classmethod
    def of_seconds(
        cls,
        seconds: int = 60,
        features_per_second: int = 5,
        *,
        placement: Placement = "centered",
        selection: Selection = "top_score",
    ) -> WindowSpec:
        """Make AVA's window: a grid of whole seconds, on a bank with one tick per second.

        Args:
            seconds: Its length n.
            features_per_second: Slots of each second.
            placement: `centered` covers [t - n/2, t + (n-1)/2] (60: t-30 .. t+29, as in the paper; odd n: symmetric),
                `causal` covers [t - n + 1, t].
            selection: As for the class.
        """
        if seconds < 1 or features_per_second < 1:
            raise InputError(
                f"bank.window_seconds is {seconds} and bank.features_per_second {features_per_second}; both must be at "
                "least 1."
            )
        before = seconds // 2 if placement == "centered" else seconds - 1
        return cls(
            before=before,
            after=seconds - 1 - before,
            slots=seconds * features_per_second,
            per_tick=features_per_second,
            selection=selection,
        )

    def bounds(self, clock: Clock, bank_clock: Clock, step: int = 1) -> WindowBounds:
        """Compute where windows lie on a bank's clock.

        Args:
            clock: The key frames' clock.
            bank_clock: The bank's clock.
            step: Ticks of the bank from one entry to the next, the length of a grid's cells.
        """
        rate = bank_clock.ticks_per_second
        scale, before, after = rate / clock.ticks_per_second, rate * self.before, rate * self.after
        edges = [rate * edge for edge in self.edges]
        common = scale.denominator * before.denominator * after.denominator
        common *= lcm(*(edge.denominator for edge in edges))
        if self.layout == "packed":
            step, cells = 1, int(before + after) + 1
        else:
            cells = self.slots // self.per_tick
        scale, before, after, *edges = (number * common for number in (scale, before, after, *edges))
        whole = tuple(int(edge) for edge in edges)
        return WindowBounds(int(scale), int(before), int(after), common, step, cells, whole)


class WindowBounds(NamedTuple):
    """Bounds of windows in ticks of a bank, as whole numbers: `scale`, `before`, `after` and `edges` count `parts` of a tick.

    A window has at most `cells` cells: of `step` ticks each, or of what lies between two `edges`.
    """

    scale: int
    before: int
    after: int
    parts: int
    step: int
    cells: int
    edges: tuple[int, ...] = ()

    def around(self, tick: int) -> tuple[int, int]:
        """Give the first tick of the bank that the window around a key frame covers, and the first one after it.

        Args:
            tick: Where the key frame is, in ticks of its own clock.
        """
        center = tick * self.scale
        first = -((self.before - center) // self.parts)
        last = (center + self.after) // self.parts
        if self.edges:
            begin, end = (-((-center - edge) // self.parts) for edge in (self.edges[0], self.edges[-1]))
            return max(first, begin), max(min(last + 1, end), first, begin)
        cells = min((last - first) // self.step + 1, self.cells)
        return first, first + max(cells, 0) * self.step

    def cells_of(self, ticks: Int[np.ndarray, " N"], tick: int) -> Int64[np.ndarray, " N"]:
        """Say in which cell of the window around a key frame the ticks of N rows lie, counted from 0.

        Args:
            ticks: Ticks of the bank that the window covers.
            tick: As `around`.
        """
        if not self.edges:
            return (ticks - np.int64(self.around(tick)[0])) // self.step
        center = tick * self.scale
        begins = np.array([-((-center - edge) // self.parts) for edge in self.edges[:-1]], dtype=np.int64)
        return begins.searchsorted(ticks, side="right") - 1


def window_generator(seed: int, epoch: int, keyframe: Keyframe) -> np.random.Generator:
    """Make the generator of a keyframe's random window: the same for equal arguments, in any process."""
    text = f"{seed},{epoch},{keyframe.timestamp},{keyframe.video_id}".encode()
    return np.random.default_rng(int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "little"))


def choose_rows(
    spec: WindowSpec, cells: Int[np.ndarray, " N"], keys: Float[np.ndarray, " N"], cells_per_window: int
) -> tuple[Int[np.ndarray, " M"], Int[np.ndarray, " M"]]:
    """Choose among N candidate rows, and give each chosen one its slot.

    Args:
        spec: The window.
        cells: The cell (of a packed window: the tick) of each row, ascending, numbered from the start of its window.
            The windows of a batch follow each other: `cells_per_window` is added for each window before.
        keys: Of a cell with more than `per_tick` rows, those with the smallest keys are chosen, the earlier row where
            they are equal.
        cells_per_window: Cells of a window.

    Returns:
        The chosen rows, ascending, and their slots, which are numbered through the windows of a batch, `spec.slots`
        each.
    """
    if len(cells) == 0:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    limit = spec.per_tick
    starts = np.flatnonzero(np.concatenate([[True], cells[1:] != cells[:-1]]))
    counts = np.diff(starts, append=len(cells))
    kept = np.minimum(counts, limit)
    rows = np.arange(len(cells))
    if counts.max() > limit:
        crowded = np.flatnonzero(np.repeat(counts > limit, counts))  # few: only their cells need to be sorted
        order = crowded[np.lexsort((keys[crowded], cells[crowded]))]  # stable: cell by cell, smallest key first
        chosen = np.repeat(counts <= limit, counts)
        chosen[order[_places(counts[counts > limit]) < limit]] = True
        rows = np.flatnonzero(chosen)
    if spec.layout == "grid":
        return rows, np.repeat(cells[starts] * limit, kept) + _places(kept)
    windows = cells[rows] // cells_per_window
    places = _places(np.unique(windows, return_counts=True)[1])
    fitting = places < spec.slots
    return rows[fitting], (windows * spec.slots + places)[fitting]


def _places(counts: Int[np.ndarray, " G"]) -> Int[np.ndarray, " N"]:
    """Count 0, 1, ... within each of the groups of so many rows."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1]) - np.repeat(ends - counts, counts)
