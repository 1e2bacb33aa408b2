"""What is read of a bank in the place of clips (`data.short_term=bank`), where that is not what clips are read of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from lfb_lightning.datasets.action_dataset import ActionSplit
from lfb_lightning.structures import Item


@runtime_checkable
class StoredOtherwise(Protocol):
    """What a split may offer beside `StoredLabels`: that its clips lie elsewhere than the moments of its bank."""

    def stored_items(self, *, training: bool) -> Sequence[Item]:
        """List moments of the bank; several of one item are entries with one number.

        Args:
            training: Whether for a training epoch, or to be scored in a validation.
        """
        ...


def stored_items(split: ActionSplit, *, training: bool) -> Sequence[Item]:
    """List what is read of a split's bank.

    Args:
        split: The split.
        training: Whether for a training epoch, or to be scored in a validation.
    """
    if isinstance(split, StoredOtherwise):
        return split.stored_items(training=training)
    return split.training_items() if training else split.evaluation_items()
