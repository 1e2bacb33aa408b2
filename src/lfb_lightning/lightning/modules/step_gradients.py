"""The gradient of one optimizer step: the mean over the labeled regions of all its batches, on all ranks.

Clips hold different numbers of persons. A mean per batch, averaged over ranks and accumulated batches, would weigh a
person more the fewer there are beside it. So each batch contributes its *sum*, and the gradients are divided once,
before clipping, by the persons that the whole step has seen: N ranks x B clips x A batches is exactly one batch of
N*B*A clips.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor, nn


class StepGradients:
    """Counts a step's labeled regions and divides its gradients by them."""

    def __init__(self) -> None:
        self._persons: Tensor | None = None
        self._spoilt = False

    def add(self, total: Tensor, count: Tensor) -> tuple[Tensor, bool]:
        """Take in one batch of this rank.

        Args:
            total: Its summed loss.
            count: Its labeled regions.

        Returns:
            The mean loss over all ranks, and whether it is finite on all of them.
        """
        figures = torch.stack([total.detach().float(), count.float()])
        if dist.is_available() and dist.is_initialized():
            dist.all_reduce(figures)
        total_everywhere, count_everywhere = figures.unbind()
        self._persons = count_everywhere if self._persons is None else self._persons + count_everywhere
        mean = total_everywhere / count_everywhere.clamp(min=1.0)
        finite = bool(torch.isfinite(mean))
        self._spoilt |= not finite
        return mean, finite

    def finish(self, parameters: Iterable[nn.Parameter]) -> bool:
        """Divide the step's gradients, or drop them where a batch was not finite.

        Args:
            parameters: Whose gradients.

        Returns:
            Whether the gradients are still there.
        """
        spoilt, persons = self._spoilt, self._persons
        self._spoilt, self._persons = False, None
        for parameter in parameters:
            if parameter.grad is None or persons is None:
                continue
            if spoilt:
                parameter.grad = None  # the optimizer then leaves the parameter and its state alone
            else:
                parameter.grad /= persons.clamp(min=1.0).to(parameter.grad.device)
        return not spoilt


def world_size() -> int:
    """Return the number of ranks whose gradients are averaged."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1
