"""Data sets: which moments of which videos are used for what, the regions there, and what they show."""

from lfb_lightning.datasets.action_dataset import (
    ActionDataset,
    ActionSplit,
    Cacheable,
    Checkable,
    LabeledRegions,
    ScoreColumns,
)
from lfb_lightning.datasets.ava.dataset import AvaDataset
from lfb_lightning.datasets.ava.split import AvaSplit

__all__ = [
    "ActionDataset",
    "ActionSplit",
    "AvaDataset",
    "AvaSplit",
    "Cacheable",
    "Checkable",
    "LabeledRegions",
    "ScoreColumns",
]
