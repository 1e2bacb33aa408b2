"""What a command has loaded stays until it ends: Python need not look for garbage among it.

A command's modules are a million objects. To look through them again and again takes a sixth of the time that loading them
takes, and two fifths of the time in which Hydra composes a configuration.
"""

from __future__ import annotations

import gc
from importlib import import_module
from types import ModuleType


def load_to_stay(name: str) -> ModuleType:
    """Load a command's module with all that it imports.

    Args:
        name: The module's full name.

    Returns:
        The module.
    """
    gc.disable()
    try:
        return import_module(name)
    finally:
        keep_what_is_loaded()
        gc.enable()


def keep_what_is_loaded() -> None:
    """Leave all there is out of garbage collection, the first time that this is asked of the process.

    The workers of a loader then share its memory for longer, as the collector writes to what it looks at.
    """
    if not gc.get_freeze_count():
        gc.freeze()
