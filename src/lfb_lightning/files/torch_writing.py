"""Checkpoints and other files of `torch.save`, written durably."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from lfb_lightning.files.durable import durable_file


def save_durably(path: Path, content: Any) -> None:
    """Write `content` with `torch.save`, whole or not at all.

    Raises:
        InputError: The file cannot be written.
    """
    with durable_file(path) as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:  # how torch reports that `file` has failed: its own count of bytes is off then
            if isinstance(error.__context__, OSError):
                raise error.__context__ from error
            raise
