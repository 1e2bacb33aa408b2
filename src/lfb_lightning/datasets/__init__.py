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
from lfb_lightning.datasets.ava_kinetics.dataset import AvaKineticsDataset
from lfb_lightning.datasets.bank_split import BankSplit
from lfb_lightning.datasets.charades.dataset import CharadesDataset
from lfb_lightning.datasets.charades.split import CharadesSplit
from lfb_lightning.datasets.epic.dataset import EpicDataset
from lfb_lightning.datasets.epic.split import EpicSplit
from lfb_lightning.datasets.joined import JoinedSplit, Part
from lfb_lightning.datasets.object_split import ObjectSplit

__all__ = [
    "ActionDataset",
    "ActionSplit",
    "AvaDataset",
    "AvaKineticsDataset",
    "AvaSplit",
    "BankSplit",
    "Cacheable",
    "CharadesDataset",
    "CharadesSplit",
    "Checkable",
    "EpicDataset",
    "EpicSplit",
    "JoinedSplit",
    "LabeledRegions",
    "ObjectSplit",
    "Part",
    "ScoreColumns",
]
