"""SIGTERM and SIGINT during an extraction or a test, which lose little when they end at once."""

from __future__ import annotations

from pytorch_lightning import Callback, LightningModule, Trainer

from lfb_lightning.processes import end_when_asked


class StopAtOnce(Callback):
    """Listens to the signals instead of Lightning, which has just put its own handlers in place."""

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen during an extraction."""
        end_when_asked()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen during a test."""
        end_when_asked()
