"""Keeps a stored configuration from making a module larger than its weights: `base_channels: 100000` takes no memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_parameter_registration_hook,
)

from lfb_lightning.errors import InputError

_SLACK = 4  # modules that are made and replaced again; one that fits ends with exactly the weights' own


@contextmanager
def no_larger_than(weights: Mapping[str, Tensor], *, source: str) -> Iterator[None]:
    """Refuse, while it is being made in this thread, a module with far more or far larger parameters than `weights`.

    A parameter or a buffer is counted when a module takes it: its memory is reserved by then, but not filled.

    Raises:
        InputError: The module would not fit the weights by far.
    """
    most_tensors, most_numbers = _SLACK * len(weights), _SLACK * sum(weight.numel() for weight in weights.values())
    thread = threading.get_ident()
    tensors = numbers = 0

    def count(module: nn.Module, name: str, parameter: Tensor | None) -> None:
        nonlocal tensors, numbers
        if parameter is None or threading.get_ident() != thread:
            return
        tensors, numbers = tensors + 1, numbers + parameter.numel()
        if tensors > most_tensors or numbers > most_numbers:
            raise InputError(
                f"{source}: its configuration makes a model that its {len(weights)} weights by far do not fill; "
                "the file is damaged or was put together from two."
            )

    handles = [
        register_module_parameter_registration_hook(count),
        register_module_buffer_registration_hook(count),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
