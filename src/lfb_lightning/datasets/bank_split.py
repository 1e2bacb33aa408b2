"""What a bank needs of a split, and what a split may say of it: how far apart its moments lie, what its entries are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from lfb_lightning.clock import Clock
from lfb_lightning.structures import Keyframe, Proposals
from lfb_lightning.video.protocol import Video


@runtime_checkable
class BankSplit(Protocol):
    """What a bank is made of: moments of videos and their regions. It is copied to the worker processes of loaders."""

    @property
    def name(self) -> str:
        """Which split it is, such as train or val: the name of its folder in a bank."""
        ...

    @property
    def clock(self) -> Clock:
        """What `Keyframe.timestamp` counts: seconds for AVA, frames for a data set that is annotated per frame."""
        ...

    @property
    def bank_threshold(self) -> float:
        """Least confidence of the regions in the bank; 0 for a data set whose regions have none."""
        ...

    def video(self, video_id: str) -> Video:
        """Open a video.

        Args:
            video_id: Its id in the data set's files.

        Raises:
            InputError: There is no such video.
        """
        ...

    def bank_keyframes(self, choice: str) -> Sequence[Keyframe]:
        """List the moments that the bank describes, each once.

        Args:
            choice: Value of the key `bank.keyframes`: which words there are is the data set's business.

        Raises:
            InputError: The data set does not know the word.
        """
        ...

    def bank_regions(self, keyframe: Keyframe, choice: str) -> Proposals:
        """Give the regions whose features the bank stores at a moment.

        Args:
            keyframe: One of `bank_keyframes`.
            choice: Value of the key `bank.keyframes`.
        """
        ...

    def describe(self) -> Mapping[str, object]:
        """Describe what decides the pixels of a clip beside how it is cut, for the bank's manifest."""
        ...


@runtime_checkable
class SpacedBank(Protocol):
    """What a split may offer too: that its bank's moments lie further apart than a tick.

    A window's grid then has a cell for so many ticks: with 1,000 ticks per second, for a second.
    """

    @property
    def bank_spacing(self) -> tuple[int, int]:
        """Ticks from one moment to the next, and the first one's tick."""
        ...


def spacing_of(split: object) -> tuple[int, ...]:
    """Give the spacing of a split's bank, for its manifest; empty where there is an entry at every tick, as in AVA."""
    spacing = split.bank_spacing if isinstance(split, SpacedBank) else (1, 0)
    return spacing if spacing[0] > 1 else ()


@runtime_checkable
class EntriesOfBank(Protocol):
    """What a split may offer too: that the entries of its bank are no persons."""

    @property
    def bank_entries(self) -> str:
        """What an entry is of: persons, clips or objects."""
        ...


def entries_of(split: object) -> str:
    """Say what the entries of a split's bank are, for its manifest; persons unless it says otherwise."""
    return split.bank_entries if isinstance(split, EntriesOfBank) else "persons"
