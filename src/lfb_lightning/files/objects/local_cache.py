"""Where what was fetched from object stores is kept on this machine, and how much of it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from lfb_lightning.errors import InputError

_DEFAULT_CACHE_GB = 16.0


def cache_folder(kind: str) -> Path:
    """Give the folder for what is kept of a kind of things: `LFB_CACHE_DIR` (usually ~/.cache/lfb-lightning) and its name."""
    base = os.environ.get("LFB_CACHE_DIR") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "lfb-lightning"
    return Path(base).expanduser() / kind


def cache_limit() -> int:
    """Give how many bytes may be kept: `LFB_CACHE_GB` (16), a property of a machine and not of a run.

    Raises:
        InputError: It is no size.
    """
    text = os.environ.get("LFB_CACHE_GB", str(_DEFAULT_CACHE_GB))
    try:
        limit = float(text)
        if not 0 <= limit < 1e6:
            raise ValueError
    except ValueError as error:
        raise InputError(f"LFB_CACHE_GB is {text!r:.50}, expected gigabytes such as 100, or 0 for no cache.") from error
    return int(limit * 1e9)


def cache_name(text: str) -> str:
    """Give a file name that stands for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]
