"""Where a process of a cluster stands: relative paths mean there what they mean to the command."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def stand_in(folder: str) -> None:
    """Make a folder the working directory, where this machine has it.

    Args:
        folder: The command's.
    """
    if str(Path.cwd()) != folder:
        with suppress(OSError):
            os.chdir(folder)
