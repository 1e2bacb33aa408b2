"""Listing a folder once and remembering the outcome: each training clip would list ten thousand names again otherwise."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import lru_cache, wraps
from pathlib import Path
from typing import TypeVar

from lfb_lightning.errors import InputError

T = TypeVar("T")
_REMEMBERED = 512  # folders; AVA has 299 with frames, whose numbers take up to 200 kB each
_CLOCK_TICK = 1.0  # seconds; two changes within one step of a file system's clock leave the same time stamp


def once_per_folder(read: Callable[[list[str], Path], T]) -> Callable[[Path], T]:
    """Decorate a function of a folder's file names so that it is called again only when the folder has changed.

    Args:
        read: Called with the sorted names and the folder. Folders and hidden files (such as `._img_00001.jpg` of macOS) are
            not among the names.

    Returns:
        A function of the folder alone, which raises InputError if the folder cannot be listed.
    """
    remembered = lru_cache(maxsize=_REMEMBERED)(lambda folder, changed: read(_names(folder), folder))

    @wraps(read)
    def of_folder(folder: Path) -> T:
        try:
            changed = folder.stat().st_mtime_ns
            if time.time() - changed / 1e9 < _CLOCK_TICK:
                return read(_names(folder), folder)
            return remembered(folder, changed)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InputError(f"{folder}: no such folder.") from error
        except OSError as error:
            raise InputError(f"{folder}: cannot be listed ({error.strerror}).") from error

    return of_folder


def _names(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(
            entry.name
            for entry in entries
            if not entry.name.startswith(".") and not entry.is_dir(follow_symlinks=False)
        )
