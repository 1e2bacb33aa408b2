"""One line per epoch: loss, figures, learning rate, time, time left."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from lfb_lightning.metrics.evaluator import headline

_log = logging.getLogger(__name__)


class EpochLines(Callback):
    """Logs a line at the end of each epoch, such as `epoch 2/20  loss 0.2151  mAP 0.6143  lr 0.001  0:05, 1:30 left`."""

    def __init__(self) -> None:
        self._began: float | None = None  # an epoch that goes on with a checkpoint began in another process
        self._seconds: list[float] = []
        self._is_validated = False

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note when the epoch began."""
        self._began = time.monotonic()
        self._is_validated = False

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that this epoch has figures of its own."""
        self._is_validated = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the line, on the first process."""
        if self._began is not None:
            self._seconds.append(time.monotonic() - self._began)
        if trainer.is_global_zero:
            rates = {group["lr"] for optimizer in trainer.optimizers for group in optimizer.param_groups}
            _log.info(
                "%s",
                describe(
                    epoch=trainer.current_epoch + 1,
                    epochs=_epochs(trainer),
                    logged={
                        name: float(value)
                        for name, value in trainer.callback_metrics.items()
                        if not name.startswith("val/") or (self._is_validated and _is_shown(name, pl_module))
                    },  # figures of an earlier epoch are none of this one's
                    rates=rates,
                    seconds=self._seconds,
                ),
            )


def _is_shown(name: str, module: LightningModule) -> bool:
    """Whether a logged figure of the validation is one of those that its evaluator, if there is one, chooses for lines."""
    evaluator = getattr(module, "evaluator", None)
    return evaluator is None or name.removeprefix("val/") in headline(evaluator)


def _epochs(trainer: Trainer) -> int | None:
    """Say how many epochs there will be, as far as the settings tell."""
    lengths: list[float] = [trainer.max_epochs] if trainer.max_epochs is not None and trainer.max_epochs > 0 else []
    steps_per_epoch = trainer.global_step / (trainer.current_epoch + 1)
    if trainer.max_steps > 0 and steps_per_epoch > 0:
        lengths.append(math.ceil(trainer.max_steps / steps_per_epoch))
    return int(min(lengths)) if lengths else None


def describe(
    *, epoch: int, epochs: int | None, logged: Mapping[str, float], rates: set[Any], seconds: list[float]
) -> str:
    """Describe an epoch in one line.

    Args:
        epoch: Its number, from 1.
        epochs: How many there will be; None: nobody knows.
        logged: What the trainer has logged, by name; the figures of the validation are those that begin with `val/`.
        rates: The learning rates of the optimizer's groups.
        seconds: What each epoch took that this process made whole, the last one last; none: it says no time.
    """
    figures = {name.removeprefix("val/"): value for name, value in logged.items() if name.startswith("val/")}
    parts = [f"epoch {epoch}" if epochs is None else f"epoch {epoch:{len(str(epochs))}}/{epochs}"]
    if (loss := logged.get("train/loss_epoch", logged.get("train/loss"))) is not None:
        parts.append(f"loss {loss:.4f}")
    main = next(iter(figures), "")
    parts += [f"{name.removeprefix(main + '_')} {value:.4f}" for name, value in figures.items()]
    low, high = min(rates, default=0.0), max(rates, default=0.0)
    parts.append(f"lr {high:.2g}" if low == high else f"lr {low:.2g} to {high:.2g}")
    if not seconds:
        return "  ".join(parts)
    taken = str(timedelta(seconds=round(seconds[-1])))
    if epochs is not None and epochs > epoch:
        left = timedelta(seconds=round((epochs - epoch) * sum(seconds) / len(seconds)))
        taken += f", {left} left"
    return "  ".join([*parts, taken])
