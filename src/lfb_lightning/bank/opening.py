"""Opens what a bank is made of: a folder of one file per video, or a packed one."""

from __future__ import annotations

from pathlib import Path

from lfb_lightning.bank.layout import MANIFEST
from lfb_lightning.bank.manifest import Manifest
from lfb_lightning.bank.packed.remote import RemoteStore
from lfb_lightning.bank.packed.store import FolderStore
from lfb_lightning.bank.packed.videos import PackedVideos
from lfb_lightning.bank.video_rows import FolderVideos, Videos
from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.url import Url, place_of


def open_videos(folder: str | Path | Url) -> tuple[Manifest, Videos]:
    """Read the manifest of a bank, and make what reads its videos.

    Args:
        folder: `<bank_dir>/<split>`, or a URL.

    Raises:
        InputError: The bank is missing or unfinished, or its manifest or index is damaged.
    """
    place = place_of(folder)
    if isinstance(place, Url):
        return _open_remote(place)
    manifest = Manifest.read(place)
    if manifest.packed is None:
        return manifest, FolderVideos(place, manifest)
    return manifest, PackedVideos(FolderStore(place), manifest)


def _open_remote(url: Url) -> tuple[Manifest, Videos]:
    store = RemoteStore(url)
    manifest = Manifest.parse(store.object(MANIFEST), url)
    if manifest.packed is None:
        raise InputError(
            f"bank {url}: is one of a file per video; an object store needs a packed one: lfb-bank pack folder=<it "
            "on a disk> to=<another URL>."
        )
    return manifest, PackedVideos(store, manifest)
