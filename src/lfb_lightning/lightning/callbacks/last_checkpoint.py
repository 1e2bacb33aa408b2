"""`last.ckpt`, from which a run that was killed, preempted or interrupted goes on with `ckpt_path=last`."""

from __future__ import annotations

import logging
import signal
from pathlib import Path
from typing import Any, NoReturn

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint
from pytorch_lightning.trainer.states import TrainerFn
from pytorch_lightning.utilities.exceptions import SIGTERMException

from lfb_lightning.errors import InputError
from lfb_lightning.lightning.callbacks.stop_signals import StopSignals

_log = logging.getLogger(__name__)
_STOPPED = 128 + signal.SIGTERM  # the exit status


class LastCheckpoint(Checkpoint):
    """Saves after every epoch's validation, every `every_n_steps` optimizer steps, and when a signal asks to stop.

    SIGTERM or SIGUSR1 to any rank end all of them after the optimizer step in hand (of several ranks: that or the next one),
    with exit status 143; after an epoch's last step its validation comes first, since a resumed run would begin with the next
    epoch. Never saves gradients that are still being accumulated. With `DurableCheckpoints` as the trainer's plugin there is
    always a whole file.
    """

    def __init__(self, *, dirpath: str, every_n_steps: int = 1000) -> None:
        if every_n_steps < 1:
            raise InputError(f"callbacks.last.every_n_steps is {every_n_steps}, expected at least 1.")
        self.path = Path(dirpath) / "last.ckpt"
        self.every_n_steps = every_n_steps
        self._saved_step = -1
        self._seen_step = -1
        self._accumulating = False
        self._signals = StopSignals()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take over the signals from Lightning."""
        self._seen_step = trainer.global_step
        self._signals.take_over(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save if the step's number or a signal asks for it."""
        self._accumulating = trainer.global_step == self._seen_step
        self._seen_step = trainer.global_step
        if self._accumulating or _validation_follows(trainer):
            return
        stop = self._signals.asked_after_step(pl_module, trainer.strategy.root_device)
        if stop or trainer.global_step % self.every_n_steps == 0:
            self._save(trainer)
        if stop:
            self._stop(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save after an epoch, and stop if a signal came meanwhile."""
        if trainer.state.fn != TrainerFn.FITTING or trainer.sanity_checking or self._accumulating:
            return
        stop = self._signals.asked_anywhere(trainer.strategy.root_device)
        self._save(trainer)
        if stop:
            self._stop(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save an epoch without validation; not later, since averaged weights take the model's place at the end."""
        if trainer.global_step != self._saved_step:
            self._save(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Give the signals back to Lightning."""
        self._signals.give_back(trainer)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Give the signals back to Lightning."""
        self._signals.give_back(trainer)

    def _stop(self, trainer: Trainer) -> NoReturn:
        if trainer.is_global_zero:
            _log.info("asked to stop: step %d saved; go on with ckpt_path=last, %s", trainer.global_step, self.path)
        raise SIGTERMException(_STOPPED)

    def _save(self, trainer: Trainer) -> None:
        self._saved_step = trainer.global_step
        trainer.save_checkpoint(self.path)  # all ranks wait until it is there


def _validation_follows(trainer: Trainer) -> bool:
    every = trainer.check_val_every_n_epoch
    due = every is None or (trainer.current_epoch + 1) % every == 0
    return trainer.is_last_batch and trainer.enable_validation and due
