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

_MOST_NUMBERS = 1 << 31  # 9 GB of weights, twice those of the largest published video models
_MOST_TENSORS = 20_000
_SLACK = 4  # modules that are made and replaced again; one that fits ends with exactly the weights' own


@contextmanager
def no_larger_than(weights: Mapping[str, Tensor], *, source: str) -> Iterator[None]:
    """Refuse, while it is being made in this thread, a module with far more or far larger parameters than `weights`.

    A parameter or a buffer is counted when a module takes it: its memory is reserved by then, but not filled.

    Raises:
        InputError: The module would not fit the weights by far.
    """
    most_numbers = _SLACK * sum(weight.numel() for weight in weights.values())
    refused = InputError(
        f"{source}: its configuration makes a model that its {len(weights)} weights by far do not fill; "
        "the file is damaged or was put together from two."
    )
    with _counted(_SLACK * len(weights), most_numbers, refused):
        yield


@contextmanager
def no_larger_than_published(*, source: str) -> Iterator[None]:
    """Refuse, while it is being made in this thread, a module that is far larger than any video model that was published.

    It is for a configuration that a file brings without weights.

    Raises:
        InputError: The module has too many parameters, or numbers in them.
    """
    refused = InputError(
        f"{source} makes a model of more than {_MOST_NUMBERS} numbers or {_MOST_TENSORS} tensors, far larger than "
        "any that was published; is it the configuration that you mean?"
    )
    with _counted(_MOST_TENSORS, _MOST_NUMBERS, refused):
        yield


@contextmanager
def _counted(most_tensors: int, most_numbers: int, refused: InputError) -> Iterator[None]:
    thread = threading.get_ident()
    tensors = numbers = 0

    def count(module: nn.Module, name: str, parameter: Tensor | None) -> None:
        nonlocal tensors, numbers
        if parameter is None or threading.get_ident() != thread:
            return
        tensors, numbers = tensors + 1, numbers + parameter.numel()
        if tensors > most_tensors or numbers > most_numbers:
            raise refused

    handles = [
        register_module_parameter_registration_hook(count),
        register_module_buffer_registration_hook(count),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
