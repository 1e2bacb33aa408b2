"""Batch norms' running statistics from before a forward pass, so that a batch that is left out leaves no trace."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class RunningStatistics:
    """A copy of the statistics that a training forward pass of `module` would change."""

    def __init__(self, module: nn.Module) -> None:
        norms = [part for part in module.modules() if isinstance(part, _BatchNorm) and part.training]
        self._kept = [(buffer, buffer.clone()) for norm in norms for buffer in norm.buffers()]

    def restore_unless(self, keeps: Tensor) -> None:
        """Put the statistics back unless a number on their device says otherwise; the host does not wait for it.

        Args:
            keeps: One boolean.
        """
        for buffer, value in self._kept:
            buffer.copy_(torch.where(keeps.to(buffer.device), buffer, value))
