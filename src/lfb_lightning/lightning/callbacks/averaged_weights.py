"""Lightning's exponential moving average of the weights, without asking the device after every step whether it has begun."""

from __future__ import annotations

from itertools import chain

import pytorch_lightning as pl
import torch
from pytorch_lightning import LightningModule, Trainer
from torch import nn
from torch.optim.swa_utils import AveragedModel


class EMAWeightAveraging(pl.callbacks.EMAWeightAveraging):
    """Averages as Lightning's callback of that name, bit by bit, whose arguments and state in checkpoints it has."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Make the average when training begins."""
        if stage == "fit":
            self._average_model = _Average(
                pl_module, device=self._device or pl_module.device, use_buffers=self._use_buffers, **self._kwargs
            )


class _Average(AveragedModel):
    _has_begun = False

    @torch.no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Average another model's parameters in; torch's way reads a number from the device to know if it is the first."""
        if not self._has_begun or self.avg_fn is None or not self.use_buffers:
            super().update_parameters(model)
            self._has_begun = True
            return
        averages = chain(self.module.parameters(), self.module.buffers())
        for average, value in zip(averages, chain(model.parameters(), model.buffers()), strict=True):
            average.copy_(self.avg_fn(average, value.to(average.device), self.n_averaged))
        self.n_averaged += 1
