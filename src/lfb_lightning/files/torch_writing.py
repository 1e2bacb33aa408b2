"""Writing checkpoints and other files of `torch.save` durably."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from lfb_lightning.files.durable import durable_file


def save_durably(path: Path, content: Any) -> None:
    """Write an object with `torch.save`, whole or not at all.

    Args:
        path: The file to write.
        content: What `torch.save` can write.

    Raises:
        InputError: The file cannot be written.
    """
    with durable_file(path) as file:
        try:
            torch.save(content, file)
        except (
            RuntimeError
        ) as error:  # torch raises this when writing to `file` failed, since its count of bytes is off
            if isinstance(error.__context__, OSError):
                raise error.__context__ from error
            raise
