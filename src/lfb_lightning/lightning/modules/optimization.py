"""Optimiser and learning rate: linear scaling with the batch, linear warm-up, steps at epochs."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from lfb_lightning.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Optimisation:
    """Every field is a key of `conf/optim/*.yaml`, documented there."""

    optimizer: Callable[..., torch.optim.Optimizer]
    lr: float
    base_batch_size: int
    auto_scale_lr: bool = True
    warmup_epochs: float = 5.0
    warmup_start: float = 0.1
    warmup_by: str = "step"
    milestones: Sequence[float] = (10, 15)
    gamma: float = 0.1

    def __post_init__(self) -> None:
        if self.warmup_by not in ("step", "epoch"):
            raise InputError(f"optim.warmup_by is {self.warmup_by!r}, expected step or epoch.")
        if not isinstance(self.lr, int | float) or self.lr < 0:
            raise InputError(f"optim.lr is {self.lr!r}, expected a number of at least 0.")
        if self.base_batch_size < 1:
            raise InputError(f"optim.base_batch_size is {self.base_batch_size}, expected at least 1 clip.")

    def scaled_lr(self, global_batch_size: int) -> float:
        """The peak rate for a global batch: `lr` times its ratio to `base_batch_size` (Goyal et al., 2017)."""
        return self.lr * global_batch_size / self.base_batch_size if self.auto_scale_lr else self.lr

    def factor(self, step: int, steps_per_epoch: int) -> float:
        """What the peak rate is multiplied by at a step: linear warm-up that ends on the peak, then powers of gamma.

        `warmup_by` "step" rises with every step and "epoch" with every epoch; both reach the peak with the last one of
        `warmup_epochs`, as mmengine's LinearLR does.
        """
        factor = self.gamma ** bisect_right(list(self.milestones), step / steps_per_epoch)
        warmup_steps = self.warmup_epochs * steps_per_epoch
        if step < warmup_steps:
            by_step = self.warmup_by == "step"
            done, last = (step, warmup_steps - 1) if by_step else (step // steps_per_epoch, self.warmup_epochs - 1)
            factor *= self.warmup_start + (1 - self.warmup_start) * min(done / max(last, 1e-9), 1.0)
        return factor

    def build(
        self, parameters: Iterable[nn.Parameter], *, global_batch_size: int, steps_per_epoch: int
    ) -> dict[str, Any]:
        """Optimiser and per-step scheduler in Lightning's form."""
        try:
            optimizer = self.optimizer(list(parameters), lr=self.scaled_lr(global_batch_size))
        except (TypeError, ValueError) as error:  # what torch's optimisers raise for a value that they refuse
            raise InputError(f"optim.optimizer: {error}") from error
        scheduler = LambdaLR(optimizer, lambda step: self.factor(step, steps_per_epoch))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def describe(self, global_batch_size: int) -> str:
        """The resulting schedule in one line."""
        lr = self.scaled_lr(global_batch_size)
        scaling = (
            f"= {self.lr:g} x {global_batch_size} / {self.base_batch_size}" if self.auto_scale_lr else "(not scaled)"
        )
        return (
            f"learning rate {lr:g} {scaling}; warm-up from {self.warmup_start:g} of it over {self.warmup_epochs:g} epochs; "
            f"x {self.gamma:g} at epochs {', '.join(f'{epoch:g}' for epoch in self.milestones) or 'none'}"
        )
