"""How samples become batches: the loader's keys of the `data` section, which every data set has."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lfb_lightning.errors import InputError
from lfb_lightning.ranges import refuse_out_of_range, refuse_unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Loading:
    """Describes the loaders of a run.

    Every field is a key of the `data` section, documented in `conf/data/ava_custom.yaml`.

    Args:
        batch_size: Clips per rank.
        num_workers: Decoding processes per rank, at most: see `loader_workers.useful_workers`.
        short_term: Where the regions' short-term features come from: `clips`, or `bank` for a frozen backbone.
        class_balance: 0 draws every item once per epoch, 1 as often as makes all actions equally frequent.
        with_replacement: Whether the items of an epoch are drawn one by one among all, as many as there are; else each is
            drawn once. With a `class_balance`, they always are.

    Raises:
        InputError: A value is out of its range; the message names the key.
    """

    batch_size: int = 8
    num_workers: int = 4
    short_term: str = "clips"
    class_balance: float = 0.0
    with_replacement: bool = False

    def __post_init__(self) -> None:
        refuse_unknown("data", self, {"short_term": ("clips", "bank")})
        if not 0 <= self.class_balance <= 1:
            raise InputError(f"data.class_balance is {self.class_balance}, expected 0 (as it is) to 1 (balanced).")
        if self.batch_size < 1:
            raise InputError(f"data.batch_size is {self.batch_size}, expected at least 1 (clips per rank).")
        refuse_out_of_range("data", self, {"num_workers": (0, math.inf)})
