"""The signals by which a cluster asks a job to stop: noted at once, and obeyed by all ranks after the same step.

Lightning's own handlers exchange messages, or save, wherever the signal happens to find the training step. Ranks are
rarely found at the same place: one stops a step before the other, which then waits for it.
"""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

import torch
import torch.distributed as dist

from lfb_lightning.processes import STOP_SIGNALS


class StopSignals:
    """Notes `STOP_SIGNALS` between `install` and `restore`."""

    def __init__(self) -> None:
        self._asked = False
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

    def asked_anywhere(self, device: torch.device) -> bool:
        """Say whether any rank has been asked to stop.

        Every rank has to call this at the same step, and all get the same answer.

        Args:
            device: Where ranks exchange it.
        """
        if not (dist.is_available() and dist.is_initialized()):
            return self._asked
        asked = torch.tensor([float(self._asked)], device=device)
        dist.all_reduce(asked, op=dist.ReduceOp.MAX)
        return bool(asked)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
