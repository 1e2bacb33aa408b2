"""What a split may say of its bank: how far apart its moments lie, and what its entries are."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


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
