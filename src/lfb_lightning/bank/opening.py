"""Opens what a bank is made of: a folder of one file per video, or a packed one."""

from __future__ import annotations

from pathlib import Path

from lfb_lightning.bank.manifest import Manifest
from lfb_lightning.bank.packed.store import FolderStore
from lfb_lightning.bank.packed.videos import PackedVideos
from lfb_lightning.bank.video_rows import FolderVideos, Videos


def open_videos(folder: str | Path) -> tuple[Manifest, Videos]:
    """Read the manifest of a bank, and make what reads its videos.

    Args:
        folder: `<bank_dir>/<split>`.

    Raises:
        InputError: The bank is missing or unfinished, or its manifest or index is damaged.
    """
    folder = Path(folder)
    manifest = Manifest.read(folder)
    if manifest.packed is None:
        return manifest, FolderVideos(folder, manifest)
    return manifest, PackedVideos(FolderStore(folder), manifest)
