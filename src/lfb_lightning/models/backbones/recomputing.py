"""Gradient checkpointing for modules with batch norms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


@torch.compiler.disable
def recomputed(function: Callable[..., Tensor], *inputs: Tensor | int, module: nn.Module) -> Tensor:
    """Call a function whose intermediate results are not kept, but computed again in the backward pass.

    torch.compile leaves such a call as it is.

    Args:
        function: What to call.
        inputs: Its arguments.
        module: The module whose batch norms it uses: the second computation leaves their running statistics alone.

    Returns:
        What the function returns; its gradients are those of a plain call.
    """

    def contexts() -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _without_statistics(module)

    result = checkpoint(function, *inputs, use_reentrant=False, context_fn=contexts)
    assert isinstance(result, Tensor)
    return result


@contextmanager
def _without_statistics(module: nn.Module) -> Iterator[None]:
    """Within it, a forward pass counts no batch and moves no running statistics."""
    norms = [norm for norm in module.modules() if isinstance(norm, _BatchNorm)]
    kept = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    try:
        for norm in norms:
            norm.momentum = 0.0
            norm.num_batches_tracked = None if norm.num_batches_tracked is None else norm.num_batches_tracked.clone()
        yield
    finally:
        for norm, (momentum, batches) in zip(norms, kept, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, batches
