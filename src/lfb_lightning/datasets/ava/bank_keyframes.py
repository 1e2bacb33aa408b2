"""Which seconds of a split in AVA's formats the bank describes, and whose features it stores at each.

    proposals     seconds with a proposal of at least `bank_threshold`; those proposals (the paper; needs no
    annotations)
    annotations   annotated seconds, as mmaction2
    every_second  every used second from the video's start to its end, for videos that no one has annotated

The last two store at least one feature per second: where no proposal reaches the threshold the best one below it, and
where there is none at all the whole frame, with score 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from lfb_lightning.datasets.ava.tables import AvaTables
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe, Proposals

_CHOICES = ("proposals", "annotations", "every_second")
_WHOLE_FRAME = Proposals(boxes=np.array([[0.0, 0.0, 1.0, 1.0]]), scores=np.zeros(1))


class BankKeyframes:
    """The keyframes of a bank, and the persons whose features it stores there.

    Args:
        split: The split's tables.
        choice: Value of the key `bank.keyframes`.

    Raises:
        InputError: There is no such choice.
    """

    def __init__(self, split: AvaTables, choice: str) -> None:
        if choice not in _CHOICES:
            raise InputError(f"bank.keyframes is {choice}, expected one of {', '.join(_CHOICES)}.")
        self.split = split
        self.choice = choice

    def keyframes(self) -> Sequence[Keyframe]:
        """List the keyframes, sorted by video and time.

        Raises:
            InputError: They are to be the annotated ones, and there are none.
        """
        split = self.split
        if self.choice == "proposals":
            return split.proposal_keyframes(split.data.bank_threshold)
        if self.choice == "annotations":
            if not split.has_annotations:
                path = split.path(split.data.annotations)
                raise InputError(f"annotations {path}: no such file; bank.keyframes=proposals does without.")
            return split.annotations.persons.select(split.used(split.annotations.persons))
        listed = [
            keyframe
            for video_id in split.video_ids()
            for tick in self._ticks(video_id)
            if (keyframe := Keyframe(video_id, tick)) not in split.excluded
        ]
        # Persons between those moments are not left out: in AVA all are on them.
        return listed if split.bank_step is None else sorted({*listed, *split.used_keyframes()})

    def persons(self, keyframe: Keyframe) -> Proposals:
        """Give the persons whose features are stored at a keyframe."""
        found = self.split.proposals.above(keyframe, self.split.data.bank_threshold)
        if len(found) or self.choice == "proposals":
            return found
        best = self.split.proposals.best(keyframe)
        return best if len(best) else _WHOLE_FRAME

    def _ticks(self, video_id: str) -> range:
        data = self.split.data
        used = data.used_ticks[:: self.split.bank_step or 1]
        try:
            length = self.split.videos.open(video_id).properties().seconds
        except InputError:
            length = 0.0  # extraction will say what is wrong with it
        if length <= 0:
            return used
        last = math.floor((data.clock.origin + Fraction(length)) * data.clock.ticks_per_second)
        return range(used.start, min(used.stop, last + 1), used.step)
