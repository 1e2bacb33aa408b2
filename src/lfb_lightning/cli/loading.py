"""What a command has loaded stays until it ends: Python need not look for garbage among its million objects."""

from __future__ import annotations

import gc
from importlib import import_module
from types import ModuleType

from lfb_lightning.collector import paused_collector


def load_to_stay(name: str) -> ModuleType:
    """Load a command's module with all that it imports.

    Args:
        name: The module's full name.

    Returns:
        The module.
    """
    with paused_collector():
        module = import_module(name)
        keep_what_is_loaded()
    return module


def keep_what_is_loaded() -> None:
    """Leave all there is out of garbage collection, the first time that this is asked of the process.

    The workers of a loader then share its memory for longer, as the collector writes to what it looks at.
    """
    if not gc.get_freeze_count():
        gc.freeze()
