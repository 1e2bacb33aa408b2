"""Where a packed bank is written: a folder, or an object store. Each file is there whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

from lfb_lightning.bank.claims import ending
from lfb_lightning.bank.layout import MANIFEST, SUFFIX, file_name
from lfb_lightning.bank.manifest import Manifest
from lfb_lightning.bank.packed.checking import INDEX_PATTERN, SHARD_SUFFIX
from lfb_lightning.bank.packed.remote import MOST_MANIFEST
from lfb_lightning.bank.packed.writing import Footer, parse_footer, read_footer
from lfb_lightning.bank.reader import FeatureBank
from lfb_lightning.bank.rewriting import refuse_other_videos
from lfb_lightning.bank.video_table import VIDEOS
from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import DISK_ERRORS, durable_file, remove_abandoned, write_durably
from lfb_lightning.files.objects.store import ObjectStore
from lfb_lightning.files.objects.url import Url


@runtime_checkable
class Target(Protocol):
    """A place that takes one packed bank."""

    def locked(self) -> AbstractContextManager[None]:
        """Make the place, and keep others from packing into it meanwhile; raises InputError where it takes no files."""

    def prepare(self, bank: FeatureBank) -> None:
        """Make the place ready for a bank; raises InputError where another one is."""

    def manifest(self) -> Manifest | None:
        """Read the manifest that is there; None where there is none."""

    def footer(self, name: str, number: int) -> Footer | None:
        """Read the footer of a shard that is there whole; None where there is none."""

    def writing(self, name: str) -> AbstractContextManager[BinaryIO]:
        """Open a file for writing that is there when the `with` block ends without an exception."""

    def write(self, name: str, content: bytes) -> None:
        """Write a small file, the index or the manifest, which is there whole or not at all."""

    def remove_others(self, kept: Collection[str], video_ids: Collection[str]) -> None:
        """Remove shards and indexes of an earlier packing, and files of videos that are packed now."""


class FolderTarget:
    """A folder; the bank's own too.

    Args:
        folder: The folder, made when it is locked.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def locked(self) -> Iterator[None]:
        """See `Target`."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"bank {self._folder}: cannot be written ({error.strerror}); choose another folder."
            ) from error
        with ending(self._folder):
            yield

    def prepare(self, bank: FeatureBank) -> None:
        """See `Target`."""
        to = self._folder
        if not is_same(to, bank.folder):
            found = self.manifest()
            if found is None and any(to.glob(f"*{SUFFIX}")):
                raise InputError(f"bank {to}: holds files of an unfinished bank; choose another folder.")
            if found is not None:
                _refuse_other_bank(to, found, bank)
        remove_abandoned(to)

    def manifest(self) -> Manifest | None:
        """See `Target`."""
        return Manifest.read(self._folder) if (self._folder / MANIFEST).is_file() else None

    def footer(self, name: str, number: int) -> Footer | None:
        """See `Target`."""
        return read_footer(self._folder / name, number)

    def writing(self, name: str) -> AbstractContextManager[BinaryIO]:
        """See `Target`."""
        return durable_file(self._folder / name)

    def write(self, name: str, content: bytes) -> None:
        """See `Target`."""
        write_durably(self._folder / name, content)

    def remove_others(self, kept: Collection[str], video_ids: Collection[str]) -> None:
        """See `Target`."""
        for path in self.others(kept, video_ids):
            path.unlink(missing_ok=True)

    def others(self, kept: Collection[str], video_ids: Collection[str]) -> list[Path]:
        """List what `remove_others` removes."""
        unpacked = {VIDEOS, *(file_name(video_id) for video_id in video_ids)}
        return [path for path in self._folder.iterdir() if path.name in unpacked or _is_other(path.name, kept)]


class UrlTarget:
    """A prefix of an object store. A shard is written to a temporary file and uploaded whole; the disk holds one at a time.

    Args:
        url: The prefix.
    """

    def __init__(self, url: Url) -> None:
        self._url = url
        self._objects = ObjectStore(url.text, makes=True)

    def locked(self) -> AbstractContextManager[None]:
        """See `Target`; an object store has no locks."""
        return nullcontext()

    def prepare(self, bank: FeatureBank) -> None:
        """See `Target`."""
        found = self.manifest()
        if found is not None:
            _refuse_other_bank(self._url, found, bank)

    def manifest(self) -> Manifest | None:
        """See `Target`."""
        what = f"bank file {self._url / MANIFEST}"
        if self._objects.stated(MANIFEST, what=what) is None:
            return None
        content = self._objects.object(MANIFEST, MOST_MANIFEST, what=what, absent=f"{what}: was removed.")
        return Manifest.parse(content, self._url)

    def footer(self, name: str, number: int) -> Footer | None:
        """See `Target`."""
        what = f"bank shard {self._url / name}"
        stated = self._objects.stated(name, what=what)
        if stated is None:
            return None

        def read(begin: int, end: int) -> bytes:
            return bytes(self._objects.range(name, begin, end, least=end - begin, what=what))

        return parse_footer(read, stated.size, number)

    @contextmanager
    def writing(self, name: str) -> Iterator[BinaryIO]:
        """See `Target`."""
        with tempfile.TemporaryDirectory(prefix="lfb-bank-") as folder:
            path = Path(folder) / name
            try:
                with path.open("wb") as file:
                    yield file
            except OSError as error:
                if error.errno not in DISK_ERRORS:  # a file that is packed may be what cannot be read
                    raise InputError(f"bank shard {self._url / name}: cannot be packed ({error}).") from error
                raise InputError(f"{path}: cannot be written ({error.strerror}); set TMPDIR.") from error
            self._objects.put(name, path, what=f"bank shard {self._url / name}")

    def write(self, name: str, content: bytes) -> None:
        """See `Target`."""
        self._objects.put(name, content, what=f"bank file {self._url / name}")

    def remove_others(self, kept: Collection[str], video_ids: Collection[str]) -> None:
        """See `Target`; an object store holds packed videos only. What lies deeper may be another bank's."""
        names = self._objects.names()
        self._objects.delete(name for name in names if "/" not in name and _is_other(name, kept))


def target_of(place: Path | Url) -> Target:
    """Give what writes to a place."""
    return UrlTarget(place) if isinstance(place, Url) else FolderTarget(place)


def is_same(one: Path | Url, other: Path | Url) -> bool:
    """Say whether two places are one folder that is there."""
    if isinstance(one, Url) or isinstance(other, Url):
        return False
    return one.exists() and other.exists() and one.samefile(other)


def _is_other(name: str, kept: Collection[str]) -> bool:
    return (name.endswith(SHARD_SUFFIX) or name.startswith(INDEX_PATTERN)) and name not in kept


def _refuse_other_bank(to: Path | Url, found: Manifest, bank: FeatureBank) -> None:
    """A place takes one packed bank; one of these videos may be replaced by another one of them."""
    differences = found.provenance.differences(bank.manifest.provenance)
    if differences or found.packed is None:
        what = "; ".join(differences) or "it is one of a file per video"
        raise InputError(f"bank {to}: is another bank ({what}); choose another folder.")
    refuse_other_videos(to, bank.videos.keys() | bank.manifest.failed.keys())
