"""Which rows of a video a window takes, and the slot that each one gets.

Vectorised: the rows of a window are one contiguous range, so a choice is a sort within seconds, never a loop over them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int

from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe


@dataclass(frozen=True, slots=True)
class WindowSpec:
    """A window: its length, where it lies, and how many features of each second it takes.

    `centered` covers [t - n/2, t + (n-1)/2] for n seconds (60: t-30 .. t+29, as in the paper; odd n: symmetric);
    `causal` covers [t - n + 1, t]. A second with more than `features_per_second` features gives a random choice of
    them (`selection="random"`, in random order) or the best detector scores (`"top_score"`, best first).
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
    spec: WindowSpec,
    seconds: Int[np.ndarray, " N"],
    scores: Float32[np.ndarray, " N"],
    generator: np.random.Generator | None,
) -> tuple[Int[np.ndarray, " M"], Int[np.ndarray, " M"]]:
    """The chosen of N candidate rows and the slot of each.

    `seconds` (ascending, relative to the window's first second) and `scores` describe the candidates. `generator` is
    needed for `selection="random"`. Of equal scores the earlier row comes first.
    """
    if spec.selection == "random":
        if generator is None:
            raise ValueError('selection="random" needs a generator')
        keys = generator.random(len(seconds))
    else:
        keys = -scores.astype(np.float64)
    order = np.lexsort((keys, seconds))  # stable: second by second, best key first
    starts = np.searchsorted(seconds, seconds)  # first candidate of each row's second
    rank = np.arange(len(seconds)) - starts
    kept = rank < spec.features_per_second
    return order[kept], seconds[kept] * spec.features_per_second + rank[kept]
