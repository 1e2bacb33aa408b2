"""Learning rate schedules from `torch.optim.lr_scheduler`, with times in epochs: what `optim.schedule` names."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeAlias, runtime_checkable

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from lfb_lightning.errors import InputError

Epochs: TypeAlias = float | Sequence[float] | None


@runtime_checkable
class Schedule(Protocol):
    """Anything that makes a scheduler, which is stepped with every optimizer step."""

    def __call__(self, optimizer: Optimizer, *, steps_per_epoch: int, epochs: int | float) -> LRScheduler:
        """Make the scheduler.

        Args:
            optimizer: Its groups' rates are the peak rates.
            steps_per_epoch: Optimizer steps per epoch.
            epochs: Epochs that are left after the warm-up, which is not its business.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class TorchSchedule:
    """A class of `torch.optim.lr_scheduler`, some of whose arguments are times.

    Args:
        scheduler: The class with its other arguments; what it lacks is the optimizer and the times.
        epochs: Its arguments that are times, in epochs after the warm-up: a number, a list of numbers, or None for all the
            epochs that are left. torch gets them as whole numbers of steps.
    """

    scheduler: Callable[..., LRScheduler]
    epochs: Mapping[str, Epochs] = field(default_factory=dict)

    def __call__(self, optimizer: Optimizer, *, steps_per_epoch: int, epochs: int | float) -> LRScheduler:
        """Make the scheduler.

        Raises:
            InputError: torch refuses an argument.
        """

        def steps(time: float | None) -> int:
            if time is None and math.isinf(epochs):
                raise InputError(
                    "optim.schedule lasts as long as the training, but trainer.max_epochs does not end it."
                )
            return max(1, round((epochs if time is None else time) * steps_per_epoch))

        times = {
            name: [steps(one) for one in time] if isinstance(time, Sequence) else steps(time)
            for name, time in self.epochs.items()
        }
        try:
            return self.scheduler(optimizer, **times)
        except (TypeError, ValueError) as error:  # what torch's schedulers raise for a value that they refuse
            raise InputError(f"optim.schedule: {error}") from error

    def __str__(self) -> str:
        constructor = self.scheduler.func if isinstance(self.scheduler, partial) else self.scheduler
        return f"{constructor.__name__} over {dict(self.epochs) or 'no'} epochs"
