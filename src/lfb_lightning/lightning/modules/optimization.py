"""Optimizer, parameter groups and learning rate: linear scaling with the batch, warm-up, then a schedule."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, SequentialLR

from lfb_lightning.errors import InputError
from lfb_lightning.lightning.modules.schedules import Schedule


@dataclass(frozen=True, kw_only=True)
class Optimization:
    """How a detector is trained. Every field is a key of `conf/optim/*.yaml`, documented there.

    Args:
        optimizer: A class of `torch.optim`, or any other, that lacks the parameters and `lr`.
        lr: The peak learning rate of a step of `base_batch_size` clips.
        base_batch_size: Clips of a step that `lr` is meant for.
        auto_scale_lr: Whether the rate is scaled with the clips of a step (Goyal et al., 2017).
        warmup_epochs: Length of the linear warm-up.
        warmup_start: The rate that it starts from, as a factor of the peak.
        warmup_by: Whether the rate rises with every "step" or every "epoch".
        milestones: Epochs, from the start of training, at which the rate is multiplied by `gamma`.
        gamma: That factor.
        schedule: What follows the warm-up in the place of `milestones` and `gamma`; None: those.
        parameter_groups: Makes the optimizer's groups of the detector; None: one group of all parameters.

    Raises:
        InputError: A value is impossible.
    """

    optimizer: Callable[..., torch.optim.Optimizer]
    lr: float
    base_batch_size: int
    auto_scale_lr: bool = True
    warmup_epochs: float = 5.0
    warmup_start: float = 0.1
    warmup_by: str = "step"
    milestones: Sequence[int | float] = (10, 15)
    gamma: float = 0.1
    schedule: Schedule | None = None
    parameter_groups: Callable[[nn.Module], Iterable[dict[str, Any]]] | None = None

    def __post_init__(self) -> None:
        if self.warmup_by not in ("step", "epoch"):
            raise InputError(f"optim.warmup_by is {self.warmup_by!r}, expected step or epoch.")
        if not isinstance(self.lr, int | float) or self.lr < 0:
            raise InputError(f"optim.lr is {self.lr!r}, expected a number of at least 0.")
        if self.base_batch_size < 1:
            raise InputError(f"optim.base_batch_size is {self.base_batch_size}, expected at least 1 clip.")
        if self.warmup_epochs < 0:
            raise InputError(f"optim.warmup_epochs is {self.warmup_epochs}, expected at least 0.")

    def scaled_lr(self, global_batch_size: int) -> float:
        """Compute the peak rate: `lr` times the ratio of the clips of a step to `base_batch_size`."""
        return self.lr * global_batch_size / self.base_batch_size if self.auto_scale_lr else self.lr

    def warm_up(self, step: int, steps_per_epoch: int) -> float:
        """Compute the factor of the rate at a step of the warm-up; 1 behind it.

        Rising by step or by epoch, the peak is reached with the last step or epoch of `warmup_epochs`, as mmengine's
        LinearLR does.
        """
        warmup_steps = self.warmup_epochs * steps_per_epoch
        if step >= warmup_steps:
            return 1.0
        by_step = self.warmup_by == "step"
        done, last = (step, warmup_steps - 1) if by_step else (step // steps_per_epoch, self.warmup_epochs - 1)
        return self.warmup_start + (1 - self.warmup_start) * min(done / max(last, 1e-9), 1.0)

    def factor(self, step: int, steps_per_epoch: int) -> float:
        """Compute the factor of the rate at a step without a `schedule`: warm-up times powers of gamma."""
        factor = self.gamma ** bisect_right(list(self.milestones), step / steps_per_epoch)
        return factor * self.warm_up(step, steps_per_epoch)

    def build(
        self,
        detector: nn.Module,
        *,
        global_batch_size: int,
        steps_per_epoch: int,
        epochs: int | float,
        more_parameters: Iterable[nn.Parameter] = (),
    ) -> dict[str, Any]:
        """Make the optimizer and a scheduler that is stepped with every optimizer step.

        Args:
            detector: The module to train: its parameters that require a gradient.
            global_batch_size: Clips of a step, over all processes and accumulated batches.
            steps_per_epoch: Optimizer steps per epoch.
            epochs: Length of the training.
            more_parameters: Parameters beside the detector's that learn at the full rate, such as a loss's.

        Returns:
            What Lightning's `configure_optimizers` returns.

        Raises:
            InputError: The optimizer, the schedule or the groups do not fit.
        """
        lr = self.scaled_lr(global_batch_size)
        try:
            optimizer = self.optimizer(self._groups(detector, list(more_parameters), lr), lr=lr)
        except InputError:
            raise
        except (TypeError, ValueError) as error:  # what torch's optimizers raise for a value that they refuse
            raise InputError(f"optim.optimizer: {error}") from error
        scheduler = self._scheduler(optimizer, steps_per_epoch, epochs)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _groups(self, detector: nn.Module, more: list[nn.Parameter], lr: float) -> list[Any]:
        if self.parameter_groups is None:
            return [one for one in (*detector.parameters(), *more) if one.requires_grad]
        groups = [dict(group) for group in self.parameter_groups(detector)]
        groups = [{**group, "lr": lr * group.pop("lr_scale")} if "lr_scale" in group else group for group in groups]
        rest = [one for one in more if one.requires_grad]
        return [*groups, {"params": rest}] if rest else groups

    def _scheduler(self, optimizer: torch.optim.Optimizer, steps_per_epoch: int, epochs: int | float) -> LRScheduler:
        # torch's own MultiStepLR multiplies step by step; this closed form is exact, and resumes runs of version 0.1.
        if self.schedule is None:
            return LambdaLR(optimizer, lambda step: self.factor(step, steps_per_epoch))
        warmup_steps = round(self.warmup_epochs * steps_per_epoch)
        left = max(epochs - self.warmup_epochs, 0.0)
        if warmup_steps == 0:
            return self.schedule(optimizer, steps_per_epoch=steps_per_epoch, epochs=left)
        warm_up = LambdaLR(optimizer, lambda step: self.warm_up(step, steps_per_epoch))
        after = self.schedule(optimizer, steps_per_epoch=steps_per_epoch, epochs=left)
        return SequentialLR(optimizer, [warm_up, after], milestones=[warmup_steps])

    def describe(self, global_batch_size: int) -> str:
        """Describe the resulting rates in one line."""
        lr = self.scaled_lr(global_batch_size)
        scaling = (
            f"= {self.lr:g} x {global_batch_size} / {self.base_batch_size}" if self.auto_scale_lr else "(not scaled)"
        )
        milestones = ", ".join(f"{epoch:g}" for epoch in self.milestones) or "none"
        then = f"x {self.gamma:g} at epochs {milestones}" if self.schedule is None else f"then {self.schedule}"
        return (
            f"learning rate {lr:g} {scaling}; warm-up from {self.warmup_start:g} of it over {self.warmup_epochs:g} epochs; "
            f"{then}"
        )
