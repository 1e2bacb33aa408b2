"""The boxes of objects that an object bank is made of, from a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lfb_lightning.ava.proposals import ProposalTable, read_proposals
from lfb_lightning.clock import Clock, exact
from lfb_lightning.errors import InputError
from lfb_lightning.ranges import refuse_out_of_range


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectBoxes:
    """Says which boxes of objects become entries of a bank; every field is a key of `objects.boxes`.

    Args:
        file: As `ava.proposals.read_proposals` reads it: csv, pickle or json, as `lfb-detect` writes it; `{split}`
            in it becomes the split's name.
        rate: Moments per second: on multiples of 1 / this the file's timestamps lie. It is the bank's clock.
        origin_second: The file's timestamp of a video's first frame.
        threshold: Least score of an object.
        per_moment: Most objects per moment: those with the best scores.

    Raises:
        InputError: There is no file, or a value is out of its range; the message names the key.
    """

    file: str | None
    rate: str | int | float = 1
    origin_second: str | int | float = 0
    threshold: float = 0.5
    per_moment: int = 10

    def __post_init__(self) -> None:
        if self.file is None:
            raise InputError(
                "objects.boxes.file is not set: give the file of the objects' boxes, .csv, .pkl or .json; `lfb-detect "
                "persons.label=null` writes one."
            )
        refuse_out_of_range("objects.boxes", self, {"threshold": (0, 1), "per_moment": (1, np.inf)})
        _ = self.clock

    @property
    def clock(self) -> Clock:
        """What the file's timestamps, and those of the bank, count."""
        return Clock(exact(self.rate, "objects.boxes.rate"), exact(self.origin_second, "objects.boxes.origin_second"))

    def read(self, split: str) -> ProposalTable:
        """Read the boxes of a split; raises InputError where they cannot be read."""
        assert self.file is not None
        return read_proposals(Path(self.file.replace("{split}", split)), clock=self.clock)
