"""What a test scores, where that is more than the validations of a training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from lfb_lightning.datasets.action_dataset import ActionSplit
from lfb_lightning.structures import Item


@runtime_checkable
class TestedOtherwise(Protocol):
    """What a split may offer too: that a test scores other views of its items than the validations of a training."""

    def test_items(self) -> Sequence[Item]:
        """List what a test scores; several views of one item are entries with one number."""
        ...


def tested_items(split: ActionSplit) -> Sequence[Item]:
    """List what a test of a split scores."""
    return split.test_items() if isinstance(split, TestedOtherwise) else split.evaluation_items()
