"""`last.ckpt`: where a run that was killed, preempted or interrupted goes on with `ckpt_path=last`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities.exceptions import SIGTERMException

_log = logging.getLogger(__name__)


class LastCheckpoint(Checkpoint):
    """Saves after every epoch's validation, every `every_n_steps` optimiser steps, and on SIGTERM between two steps.

    The file is written beside the old one and renamed: there is always a whole one.
    """

    def __init__(self, *, dirpath: str, every_n_steps: int = 1000) -> None:
        self.path = Path(dirpath) / "last.ckpt"
        self.every_n_steps = every_n_steps
        self._saved_step = -1

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save if it is time to."""
        if trainer.global_step % self.every_n_steps == 0 and trainer.global_step != self._saved_step:
            self._save(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save after an epoch."""
        if trainer.state.fn == TrainerFn.FITTING and not trainer.sanity_checking:
            self._save(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the end, where no validation did."""
        if trainer.global_step != self._saved_step:
            self._save(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Save when the run is asked to stop while training; anything else leaves the checkpoint of before."""
        if isinstance(exception, SIGTERMException) and trainer.training:
            self._save(trainer)
            _log.info("stopped by SIGTERM at step %d; go on with ckpt_path=last, %s", trainer.global_step, self.path)

    def _save(self, trainer: Trainer) -> None:
        self._saved_step = trainer.global_step
        temporary = self.path.with_name(".last.ckpt.tmp")
        trainer.save_checkpoint(temporary)
        if trainer.is_global_zero:
            temporary.replace(self.path)
        trainer.strategy.barrier("last checkpoint")
