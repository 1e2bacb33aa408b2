"""Data sets: which moments of which videos are used for what, the persons there, and what they do."""

from lfb_lightning.datasets.ava.bank_keyframes import BankKeyframes
from lfb_lightning.datasets.ava.config import AvaData
from lfb_lightning.datasets.ava.split import Split

__all__ = ["AvaData", "BankKeyframes", "Split"]
