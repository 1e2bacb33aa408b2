"""Batch norms' running statistics from before a forward pass, so that a batch that is left out leaves no trace."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


class RunningStatistics:
    """A copy of the statistics that a training forward pass of `module` would change."""

    def __init__(self, module: nn.Module) -> None:
        norms = [part for part in module.modules() if isinstance(part, _BatchNorm) and part.training]
        self._kept = [(buffer, buffer.clone()) for norm in norms for buffer in norm.buffers()]

    def restore(self) -> None:
        """Put the statistics back."""
        for buffer, value in self._kept:
            buffer.copy_(value)
