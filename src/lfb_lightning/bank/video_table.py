"""`videos.json`: the number of rows and the checksum of every video of a bank.

A file of its own, because readers of windows never need it: what they open stays equally small however many videos there
are. The manifest carries its SHA-256.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from lfb_lightning.bank.layout import file_name
from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import write_durably
from lfb_lightning.files.json_file import parse_json

VIDEOS = "videos.json"


class VideoEntry(NamedTuple):
    """A finished video: its number of rows and the SHA-256 of its tensors."""

    rows: int
    checksum: str


def write_videos(folder: Path, videos: Mapping[str, VideoEntry]) -> str:
    """Write the table into a bank's folder, and return its SHA-256."""
    entries = {video_id: entry._asdict() for video_id, entry in videos.items()}
    content = json.dumps(entries, sort_keys=True, indent=0).encode()
    write_durably(folder / VIDEOS, content)
    return hashlib.sha256(content).hexdigest()


def read_videos(folder: Path, checksum: str) -> dict[str, VideoEntry]:
    """Read the table that the manifest speaks of.

    Args:
        folder: The bank's folder.
        checksum: SHA-256 of the table, as the manifest has it.

    Raises:
        InputError: The table is missing, or another one.
    """
    path = folder / VIDEOS
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != checksum:
            raise ValueError("it is not the one that manifest.json was written with")
        entries = parse_json(content)
        videos = {key: VideoEntry(value["rows"], value["checksum"]) for key, value in entries.items()}
        if not all(type(entry.rows) is int and isinstance(entry.checksum, str) for entry in videos.values()):
            raise ValueError("its rows are not numbers, or its checksums no texts")
        for video_id in videos:
            file_name(video_id)  # raises for an id that no file can be named after
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"bank file {path}: cannot be used ({error}); run the same lfb-extract command again: it keeps finished videos."
        ) from error
    return videos
