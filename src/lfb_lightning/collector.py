"""Pauses Python's cyclic garbage collector while hundreds of thousands of small objects are made.

It would walk over all of them again and again, in search of cycles that arrays and tuples of numbers cannot form, and that
modules form but keep; that doubles the time in which AVA's tables are read, and is a sixth of a command's start.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused_collector() -> Iterator[None]:
    """Collect no garbage within the context; afterwards the collector is as it was."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
