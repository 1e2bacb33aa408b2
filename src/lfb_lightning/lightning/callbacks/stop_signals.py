"""The signals by which a cluster asks a job to stop: noted at once, and obeyed by all ranks after the same step.

Lightning's own handlers exchange messages, or save, wherever the signal happens to find the training step. Ranks are
rarely found at the same place: one stops a step before the other, which then waits for it.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol, runtime_checkable

import torch
import torch.distributed as dist
from pytorch_lightning import LightningModule, Trainer

from lfb_lightning.processes import STOP_SIGNALS

# A broadcast and a wait of Lightning's before every batch of several ranks, to tell them that the first one had a SIGTERM. It
# has no option. While our handlers stand in for Lightning's, it never has anything to tell.
_LIGHTNINGS = "_broadcast_sigterm_tensor"


@runtime_checkable
class CarriedStop(Protocol):
    """An exchange of the ranks in every training step that takes the wish to stop with it.

    Attributes:
        asked: Says whether this rank has been asked to stop.
        asked_anywhere: Whether any rank had been during the last optimizer step, the same on all ranks.
    """

    asked: Callable[[], bool]
    asked_anywhere: bool


@runtime_checkable
class CarriesStop(Protocol):
    """A task whose ranks exchange something in every step anyway, so that stopping together costs no wait of its own."""

    carried_stop: CarriedStop


class StopSignals:
    """Notes `STOP_SIGNALS` between `install` and `restore`."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[signal.Signals, Any] = {}
        self._wakeup = -1

    def install(self) -> None:
        """Take the signals over, also from the handler that would end the process some seconds after (`processes`)."""
        self._wakeup = signal.set_wakeup_fd(-1)
        self._before = {number: signal.signal(number, self._note) for number in STOP_SIGNALS}

    def restore(self) -> None:
        """Give the signals back to the handlers that had them."""
        if not self._before:
            return
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before = {}
        signal.set_wakeup_fd(self._wakeup)

    def take_over(self, trainer: Trainer, task: LightningModule) -> None:
        """Install, let the task carry the signal where it can, and spare several ranks Lightning's own exchange."""
        self.install()
        if isinstance(task, CarriesStop):
            task.carried_stop.asked = lambda: self.asked
        if hasattr(trainer.fit_loop.epoch_loop, _LIGHTNINGS):
            setattr(trainer.fit_loop.epoch_loop, _LIGHTNINGS, _nothing)

    def give_back(self, trainer: Trainer) -> None:
        """Restore, and let Lightning's ranks tell each other again."""
        self.restore()
        vars(trainer.fit_loop.epoch_loop).pop(_LIGHTNINGS, None)

    def asked_after_step(self, task: LightningModule, device: torch.device) -> bool:
        """Say after an optimizer step whether any rank has been asked to stop; as `asked_anywhere`, but without a wait.

        Args:
            task: What is trained. One that carries the signal answers for the time of its last batch's loss.
            device: Where ranks exchange it for any other task.
        """
        several = dist.is_available() and dist.is_initialized()
        return (
            task.carried_stop.asked_anywhere
            if several and isinstance(task, CarriesStop)
            else self.asked_anywhere(device)
        )

    def asked_anywhere(self, device: torch.device) -> bool:
        """Say whether any rank has been asked to stop.

        Every rank has to call this at the same step, and all get the same answer.

        Args:
            device: Where ranks exchange it.
        """
        if not (dist.is_available() and dist.is_initialized()):
            return self.asked
        asked = torch.tensor([float(self.asked)], device=device)
        dist.all_reduce(asked, op=dist.ReduceOp.MAX)
        return bool(asked)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = True


def _nothing() -> None:
    pass
