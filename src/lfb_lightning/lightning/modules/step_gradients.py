"""The gradient of one optimizer step: the mean over the labeled regions of all its batches, on all ranks.

Clips hold different numbers of persons. A mean per batch, averaged over ranks and accumulated batches, would weigh a
person more the fewer there are beside it. So each batch contributes its *sum*, and the gradients are divided once,
before clipping, by the persons that the whole step has seen: N ranks x B clips x A batches is exactly one batch of
N*B*A clips.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn

from lfb_lightning.errors import InputError
from lfb_lightning.movable import HostCopy
from lfb_lightning.structures import Keyframe

_REMEDY = (
    "lower optim.lr, use trainer.precision=32 or bf16-mixed, check these clips and the bank with lfb-check and lfb-bank "
    "verify, or leave such steps out with task.on_nan=skip."
)


class StepGradients:
    """Counts a step's labeled regions and divides its gradients by them.

    The mean losses of its batches are copied to the host while the backward pass goes on; `means` is where the host waits
    for them, once per step and not for the backward pass.

    Ranks also agree here on whether one of them has been asked to stop, by the same exchange and the same copy: `asked` says
    it of this rank when a batch is added, and `asked_anywhere` of all at the end of a step, the same on all ranks.

    Args:
        stops: Whether a batch whose loss is not finite ends training.
    """

    def __init__(self, *, stops: bool = False) -> None:
        self._stops = stops
        self._persons: Tensor | None = None
        self._figures: list[HostCopy[Tensor]] = []  # of each batch its mean loss, and how many ranks are asked to stop
        self.asked: Callable[[], bool] = _nobody
        self.asked_anywhere = False

    def add(self, total: Tensor, count: Tensor) -> Tensor:
        """Take in one batch of this rank.

        Args:
            total: Its summed loss.
            count: Its labeled regions.

        Returns:
            The mean loss over all ranks, on the device.
        """
        asked = torch.full((), float(self.asked()), device=total.device)
        figures = torch.stack([total.detach().float(), count.float(), asked])
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(figures)
        total_everywhere, count_everywhere, asked_everywhere = figures.unbind()
        self._persons = count_everywhere if self._persons is None else self._persons + count_everywhere
        mean = total_everywhere / count_everywhere.clamp(min=1.0)
        self._figures.append(HostCopy(torch.stack([mean, asked_everywhere])))
        return mean

    def means(self) -> list[Tensor]:
        """Return the mean losses of the step's batches, on the host: the same on all ranks."""
        return [figures.wait()[0] for figures in self._figures]

    def look(self, batches: Sequence[tuple[Sequence[Keyframe], Tensor]], *, step: int) -> None:
        """Look at the losses of the step so far: before weights change, and before anything is saved or evaluated.

        Args:
            batches: Keyframes and this rank's summed loss of each of the step's batches.
            step: The optimizer step's number.

        Raises:
            InputError: A loss is not finite and that ends training; on all ranks, with the keyframes.
        """
        if not self._stops:
            return
        for (keyframes, total), mean in zip(batches, self.means(), strict=True):
            if not math.isfinite(mean):
                raise InputError(f"{describe_not_finite(total, keyframes, step=step)}; {_REMEDY}")

    def finish(self, parameters: Iterable[nn.Parameter]) -> bool:
        """Divide the step's gradients, or drop them where a batch was not finite, and begin the next step.

        Args:
            parameters: Whose gradients.

        Returns:
            Whether the gradients are still there.
        """
        finite, persons = all(map(math.isfinite, self.means())), self._persons
        self.asked_anywhere = any(bool(figures.wait()[1] > 0) for figures in self._figures)
        self._figures, self._persons = [], None
        changed = [parameter for parameter in parameters if parameter.grad is not None and persons is not None]
        if not finite:
            for parameter in changed:
                parameter.grad = None  # the optimizer then leaves the parameter and its state alone
        elif persons is not None:
            _divide([parameter.grad for parameter in changed if parameter.grad is not None], persons.clamp(min=1.0))
        return finite


def _nobody() -> bool:
    return False


def _divide(gradients: list[Tensor], number: Tensor) -> None:
    """Divide gradients in place, those of a device at once: a kernel for many instead of one for each."""
    by_device: dict[torch.device, list[Tensor]] = {}
    for gradient in gradients:
        by_device.setdefault(gradient.device, []).append(gradient)
    for device, together in by_device.items():
        torch._foreach_div_(together, number.to(device))


def describe_not_finite(total: Tensor, keyframes: Sequence[Keyframe], *, step: int) -> str:
    """Say where a loss that is not finite came from.

    Args:
        total: This rank's summed loss of the batch.
        keyframes: Of the batch.
        step: The optimizer step's number.
    """
    here = not bool(torch.isfinite(total))
    where = f"keyframes {'; '.join(map(str, keyframes))}" if here else "keyframes of another rank"
    return f"the loss of step {step} is not finite, from {where}"


def world_size() -> int:
    """Return the number of ranks whose gradients are averaged."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
