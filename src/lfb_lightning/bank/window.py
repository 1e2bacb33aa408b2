"""Which rows of a video a window takes, and the slot that each one gets.

Vectorised: the rows of a window are one contiguous range, so a choice is at most a sort within seconds, never a loop over
them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """A window: its length, where it lies, and how many features of each second it takes.

    `centered` covers [t - n/2, t + (n-1)/2] for n seconds (60: t-30 .. t+29, as in the paper; odd n: symmetric);
    `causal` covers [t - n + 1, t]. A second with more than `features_per_second` features gives a random choice of
    them (`selection="random"`) or those with the best detector scores (`"top_score"`). The chosen ones keep the order in
    which they are stored, best score first as lfb-extract writes them: no FBO depends on it, and reading is faster.
    """

    seconds: int = 60
    features_per_second: int = 5
    placement: Literal["centered", "causal"] = "centered"
    selection: Literal["random", "top_score"] = "top_score"

    def __post_init__(self) -> None:
        if self.seconds < 1 or self.features_per_second < 1:
            raise InputError(
                f"bank.window_seconds is {self.seconds} and bank.features_per_second {self.features_per_second}; "
                "both must be at least 1."
            )

    @property
    def num_slots(self) -> int:
        """Slots of a window: seconds x features per second."""
        return self.seconds * self.features_per_second

    def first_second(self, timestamp: int) -> int:
        """The first second that the window of a keyframe covers."""
        return timestamp - (self.seconds // 2 if self.placement == "centered" else self.seconds - 1)


def window_generator(seed: int, epoch: int, keyframe: Keyframe) -> np.random.Generator:
    """The generator of a keyframe's random window: the same for equal arguments, in any process."""
    text = f"{seed},{epoch},{keyframe.timestamp},{keyframe.video_id}".encode()
    return np.random.default_rng(int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "little"))


def choose_rows(
    spec: WindowSpec, seconds: Int[np.ndarray, " N"], keys: Float[np.ndarray, " N"]
) -> tuple[Int[np.ndarray, " M"], Int[np.ndarray, " M"]]:
    """The chosen of N candidate rows, ascending, and the slot of each.

    `seconds` (ascending) number the seconds of one window, or of several one after the other. Of a second with more than
    `features_per_second` candidates those with the smallest keys are chosen, the earlier row where they are equal.
    """
    if len(seconds) == 0:
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    limit = spec.features_per_second
    starts = np.flatnonzero(np.concatenate([[True], seconds[1:] != seconds[:-1]]))
    counts = np.diff(starts, append=len(seconds))
    kept = np.minimum(counts, limit)
    rows = np.arange(len(seconds))
    if counts.max() > limit:
        crowded = np.flatnonzero(np.repeat(counts > limit, counts))  # few: only their seconds need to be sorted
        order = crowded[np.lexsort((keys[crowded], seconds[crowded]))]  # stable: second by second, smallest key first
        chosen = np.repeat(counts <= limit, counts)
        chosen[order[_places(counts[counts > limit]) < limit]] = True
        rows = np.flatnonzero(chosen)
    return rows, np.repeat(seconds[starts] * limit, kept) + _places(kept)


def _places(counts: Int[np.ndarray, " G"]) -> Int[np.ndarray, " N"]:
    """0, 1, ... within each of the groups of so many rows."""
    ends = np.cumsum(counts)
    return np.arange(ends[-1]) - np.repeat(ends - counts, counts)
