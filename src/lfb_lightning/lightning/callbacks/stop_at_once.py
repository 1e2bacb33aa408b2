"""Ends an extraction or a test at once on SIGTERM and SIGINT, since little is lost."""

from __future__ import annotations

from pytorch_lightning import Callback, LightningModule, Trainer

from lfb_lightning.processes import end_when_asked


class StopAtOnce(Callback):
    """Takes the signals over from Lightning, which has just put its own handlers in place."""

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the signals over during an extraction."""
        end_when_asked()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the signals over during a test."""
        end_when_asked()
