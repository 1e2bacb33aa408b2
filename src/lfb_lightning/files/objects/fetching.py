"""A whole object as a file on this machine, for what needs one: a program that copies, or reads it several times over."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import durable_file
from lfb_lightning.files.objects.local_cache import cache_folder, cache_name
from lfb_lightning.files.objects.store import ObjectStore
from lfb_lightning.files.objects.url import Place, Url

_PART = 8 << 20


@contextmanager
def local_copy(place: Place, what: str) -> Iterator[Path]:
    """Fetch an object, and remove the copy when the `with` block ends without an exception; a file is given as it is.

    The same version of an object has the same path and time of change each time, so that work on it may go on.

    Args:
        place: The object or the file.
        what: What it is, for messages, such as "video".

    Raises:
        InputError: It cannot be fetched, or there is no room for it.
    """
    if not isinstance(place, Url):
        yield place
        return
    root, name = place.object()
    objects, told = ObjectStore(root, what=what), f"{what} {place}"
    stated = objects.stated(name, what=told)
    if stated is None:
        raise InputError(f"{told}: no such object.")
    folder = cache_folder("fetched") / cache_name(f"{place} {stated.size} {stated.version}")
    path = folder / place.name
    if not path.is_file():
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{folder}: cannot be made ({error.strerror}); set LFB_CACHE_DIR.") from error
        with durable_file(path) as file:
            for begin in range(0, stated.size, _PART):
                end = min(begin + _PART, stated.size)
                part = objects.range(name, begin, end, least=end - begin, version=stated.version, what=told)
                file.write(part)
        os.utime(path, (0, 0))
    yield path
    shutil.rmtree(folder, ignore_errors=True)
