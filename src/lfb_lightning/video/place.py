"""Where a video lies: in a file, or in an object store, of which only the parts that are needed are fetched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.ranged_file import RangedFile, stated_of
from lfb_lightning.files.objects.url import Place, Url

_AT_ONCE = 13


@runtime_checkable
class Bytes(Protocol):
    """A file or an object that is open for reading."""

    def read(self, size: int = -1, /) -> bytes:
        """Read up to so many bytes; fewer only at the end."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move to a place."""

    def tell(self) -> int:
        """Give the place."""


@contextmanager
def open_bytes(place: Place, what: str = "video") -> Iterator[Bytes]:
    """Open a file or an object for reading bytes.

    Args:
        place: Where it is.
        what: What it is, for messages.

    Raises:
        InputError: An object is not there or cannot be read.
        OSError: The same of a file.
    """
    if isinstance(place, Url):
        with RangedFile(place, f"{what} {place}") as file:
            yield file
    else:
        with place.open("rb") as local:
            yield local


def version_of(place: Place) -> tuple[object, ...]:
    """Give what changes when a video does; raises OSError for a file, and InputError for an object, that is not there."""
    if isinstance(place, Url):
        stated = stated_of(place, f"video {place}")
        if stated is None:
            raise InputError(f"video {place}: no such object.")
        return stated
    status = place.stat()
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def find_object(place: Url, endings: Sequence[str]) -> Url:
    """Find the video of a URL that has no ending, by asking for each ending in lower and in upper case at once.

    Args:
        place: The URL.
        endings: Endings of video files.

    Raises:
        InputError: There is none or there are several.
    """
    tried = [place.parent / f"{place.name}{ending}" for each in endings for ending in (each, each.upper())]
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="video-finder") as threads:
        there = threads.map(lambda url: stated_of(url, f"video {url}") is not None, tried)
        found = [url for url, is_there in zip(tried, there, strict=True) if is_there]
    if len(found) == 1:
        return found[0]
    if found:
        names = " and ".join(url.name for url in found)
        raise InputError(f"video {place}: there are {names}; keep the one that was annotated there.")
    raise InputError(f"video {place}: no object with one of the endings {', '.join(endings)}; see data.video_dir.")
