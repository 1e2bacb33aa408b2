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
    video = int.from_bytes(hashlib.blake2b(keyframe.video_id.encode(), digest_size=8).digest(), "little")
    return np.random.default_rng([seed, epoch, video, keyframe.timestamp & 0xFFFFFFFF])


def choose_rows(
    spec: WindowSpec, seconds: Int[np.ndarray, " N"], keys: Float[np.ndarray, " N"]
) -> tuple[Int[np.ndarray, " M"], Int[np.ndarray, " M"]]:
    """The chosen of N candidate rows, ascending, and the slot of each.

    `seconds` (ascending) number the seconds of one window, or of several one after the other. Of a second with more than
    `features_per_second` candidates those with the smallest keys are chosen, the earlier row where they are equal.
    """
    rank = _rank_in_second(seconds)
    rows = np.arange(len(seconds))
    if len(rank) and rank.max() >= spec.features_per_second:
        order = np.lexsort((keys, seconds))  # stable: second by second, smallest key first
        rows = np.sort(order[rank < spec.features_per_second])
        seconds = seconds[rows]
        rank = _rank_in_second(seconds)
    return rows, seconds * spec.features_per_second + rank


def _rank_in_second(seconds: Int[np.ndarray, " N"]) -> Int[np.ndarray, " N"]:
    return np.arange(len(seconds)) - seconds.searchsorted(seconds)
