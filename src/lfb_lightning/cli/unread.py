"""Printing to a reader that may go away, as in `lfb train --help | head`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_UNREAD = 1


@contextmanager
def ending_with_reader() -> Iterator[None]:
    """End the process without a word, with status 1, if what is printed within cannot be read by anybody any more."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left in memory, at the end
        sys.exit(_UNREAD)
