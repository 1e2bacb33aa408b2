"""A whole object as a file on this machine, for what needs one: a program that copies, or reads it several times over.

    fetched/<name>/copy.mp4        the copy; <name> stands for the URL, the size and the version
    fetched/<name>/.<token>.user   locked by whoever uses the copy, for as long as it does
    fetched/<name>.lock            locked by whoever fetches the copy, begins to use it, or ends

The last user removes all of it. Without locks on the file system, nobody removes what another one seems to use.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import durable_file, remove_abandoned
from lfb_lightning.files.file_lock import lock_open_file, remove_locked
from lfb_lightning.files.objects.local_cache import cache_folder, cache_name
from lfb_lightning.files.objects.store import ObjectStore, Stated
from lfb_lightning.files.objects.url import Place, Url

_PART = 8 << 20
_USER = ".user"


def version_of(url: Url, what: str) -> Stated:
    """Ask the store for an object's size and version, now; nothing of it is fetched.

    Args:
        url: The object.
        what: What it is, for messages, such as "video".

    Raises:
        InputError: There is no such object, or the store does not answer.
    """
    root, name = url.object()
    stated = ObjectStore(root, what=what).stated(name, what=f"{what} {url}")
    if stated is None:
        raise InputError(f"{what} {url}: no such object.")
    return stated


@contextmanager
def local_copy(place: Place, what: str, version: Stated | None = None) -> Iterator[Path]:
    """Fetch an object, and remove the copy when its last user has ended; a file is given as it is.

    The same version of an object has the same path and time of change each time. The copy stays where the `with` block is
    interrupted by anything but an InputError, so that work on it may go on, and while another process uses it.

    Args:
        place: The object or the file.
        what: What it is, for messages, such as "video".
        version: Which version; None: the one that is there now.

    Raises:
        InputError: It cannot be fetched, is another version, or there is no room for it.
    """
    if not isinstance(place, Url):
        yield place
        return
    stated = version_of(place, what) if version is None else version
    folder = cache_folder("fetched") / cache_name(f"{place} {stated.size} {stated.version}")
    path = folder / f"copy{place.suffix}"  # an object's name may be none for a file here
    user = _begin(folder)
    keeps = False
    try:
        with _alone(folder):
            if not path.is_file():
                _fetch(place, what, stated, path)
        yield path
    except InputError:
        raise
    except BaseException:
        keeps = path.is_file()
        raise
    finally:
        _end(folder, user, keeps=keeps)


def _fetch(url: Url, what: str, stated: Stated, path: Path) -> None:
    root, name = url.object()
    objects = ObjectStore(root, what=what)
    remove_abandoned(path.parent)
    with durable_file(path) as file:
        for begin in range(0, stated.size, _PART):
            end = min(begin + _PART, stated.size)
            part = objects.range(name, begin, end, least=end - begin, version=stated.version, what=f"{what} {url}")
            file.write(part)
    os.utime(path, (0, 0))


def _begin(folder: Path) -> BinaryIO:
    """Note in the folder of a copy, which is made if it is not there, that this process uses it."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            folder.mkdir(exist_ok=True)
            user = (folder / f".{secrets.token_hex(8)}{_USER}").open("xb")
            with suppress(OSError):  # a file system without locks, on which others leave the copy where it is
                lock_open_file(user)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror}); set LFB_CACHE_DIR.") from error
    return user


def _end(folder: Path, user: BinaryIO, *, keeps: bool) -> None:
    """Take the note back, and remove the copy if nobody else uses it."""
    with user, suppress(OSError), _alone(folder) as lock:  # it fails where somebody has deleted the cache meanwhile
        remove_locked(user, Path(user.name))
        if not keeps and not any(map(_is_held, folder.glob(f".*{_USER}"))):
            shutil.rmtree(folder, ignore_errors=True)
            remove_locked(lock, _lock_of(folder))  # it stays on Windows where another one waits for it


def _is_held(path: Path) -> bool:
    """Say whether a user's file is locked, or may be: one that was killed holds no lock."""
    try:
        with path.open("r+b") as file:
            lock_open_file(file)
    except OSError:
        return True
    return False


@contextmanager
def _alone(folder: Path) -> Iterator[BinaryIO]:
    """Keep others from changing who uses a copy; they wait."""
    path = _lock_of(folder)
    while True:
        with path.open("ab") as file:
            with suppress(OSError):  # a file system without locks
                lock_open_file(file, wait=True)
            if os.fstat(file.fileno()).st_nlink:  # else removed between opening and locking: it is another file now
                yield file
                return


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")
