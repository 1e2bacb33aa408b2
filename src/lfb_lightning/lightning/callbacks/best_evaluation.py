"""Keeps what was measured on the best checkpoint, and when what was measured last was."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.trainer.states import TrainerFn


class BestEvaluation(Callback):
    """Remembers the summary of the validation by which `ModelCheckpoint` keeps its file; it travels in checkpoints.

    Args:
        describe: Gives the summary of the last validation, such as `DetectionTask.summary`.

    Attributes:
        score: The monitored figure of that validation; None before the first.
        epoch: The epoch it belongs to, from 1.
        step: Optimizer steps until then.
        summary: What the evaluator said, for `metrics.json`.
        last_epoch: The epoch that the last validation of this process belongs to, from 1; 0 before the first.
        last_step: Optimizer steps until then.
    """

    def __init__(self, describe: Callable[[], Mapping[str, Any]]) -> None:
        self._describe = describe
        self.score: float | None = None
        self.epoch = self.step = 0
        self.last_epoch = self.last_step = 0
        self.summary: Mapping[str, Any] = {}

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the summary if `ModelCheckpoint`, whose turn comes after this, will keep its file."""
        if trainer.sanity_checking:
            return
        fitting = trainer.state.fn == TrainerFn.FITTING
        # After the end, the current epoch is the number of those that are done.
        self.last_epoch, self.last_step = trainer.current_epoch + fitting, trainer.global_step
        checkpoint = trainer.checkpoint_callback
        if not fitting or not isinstance(checkpoint, ModelCheckpoint):
            return
        value = trainer.callback_metrics.get(checkpoint.monitor or "")
        if value is None or math.isnan(value):
            return
        before = checkpoint.best_model_score
        if before is None or (value > before if checkpoint.mode == "max" else value < before):
            self.score, self.epoch, self.step = float(value), self.last_epoch, self.last_step
            self.summary = self._describe()

    def state_dict(self) -> dict[str, Any]:
        """Give what a resumed run needs; the summary as text, since checkpoints hold nothing but tensors and plain data."""
        summary = json.dumps(self.summary, default=float)
        return {"score": self.score, "epoch": self.epoch, "step": self.step, "summary": summary}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what the run had before."""
        self.score = None if state_dict["score"] is None else float(state_dict["score"])
        self.epoch, self.step = int(state_dict["epoch"]), int(state_dict["step"])
        self.summary = dict(json.loads(state_dict["summary"]))
