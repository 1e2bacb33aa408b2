"""The progress bar of a terminal: one line of at most 80 columns that is gone when it has done its duty."""

from __future__ import annotations

import sys
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import RichProgressBar


class TerminalBar(RichProgressBar):
    """Shows epoch, steps, time and loss on a terminal; where the output goes elsewhere, nothing.

    Lightning's own bar shows every figure that is logged, line under line, and writes its last state into a log file.
    The figures of an epoch are a line of `EpochLines`.
    """

    @property
    def is_enabled(self) -> bool:
        """Whether there is a terminal to draw on."""
        return super().is_enabled and sys.stdout.isatty()

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """Give the figures that are shown behind the bar: the loss of the last step."""
        loss = trainer.progress_bar_metrics.get("train/loss_step")
        return {} if loss is None else {"loss": loss}

    def _get_train_description(self, current_epoch: int) -> str:
        epochs = self.trainer.max_epochs
        count = f"{current_epoch + 1}/{epochs}" if epochs is not None and epochs > 0 else str(current_epoch + 1)
        return f"{'Epoch ' + count:{len(self.validation_description)}}"
