"""Lightning's monitor of the learning rates, without copies of them to the device."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import torch
from pytorch_lightning import Trainer
from pytorch_lightning.callbacks import LearningRateMonitor


class LearningRates(LearningRateMonitor):
    """Logs what Lightning's does; the rates that it keeps for other callbacks stay on the host, which knows them."""

    def _extract_stats(self, trainer: Trainer, interval: str) -> dict[str, float]:
        return super()._extract_stats(cast(Trainer, _OnHost(trainer)), interval)


class _OnHost:
    """A trainer in all respects but one: its device is the host."""

    strategy = SimpleNamespace(root_device=torch.device("cpu"))

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._trainer, name)
