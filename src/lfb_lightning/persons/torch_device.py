"""The device on which a torch detector runs."""

from __future__ import annotations

import os

import torch

from lfb_lightning.errors import InputError


def chosen_device(name: str | None, *, key: str = "persons.device") -> torch.device:
    """Return the device of a key.

    Args:
        name: `cpu`, `cuda`, `cuda:N`, `mps`; None: the GPU if there is one, that of this process if there are several.
        key: The key that was set, for the message.

    Raises:
        InputError: There is no such device here.
    """
    if name is None:
        if not torch.cuda.is_available():
            return torch.device("cpu")
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)) % torch.cuda.device_count())
    try:
        device = torch.device(name)
        torch.empty(0, device=device).cpu()  # of `meta`, tensors can be made but not read
    except (RuntimeError, AssertionError) as error:  # NotImplementedError is a RuntimeError
        raise InputError(
            f"{key} is {name}, which is not there ({str(error).splitlines()[0][:120]}); take cpu."
        ) from error
    return device
