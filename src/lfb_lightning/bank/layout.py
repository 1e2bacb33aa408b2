"""Names and headers of the bank's files.

A video id is text from a csv, so it is percent-encoded before it becomes a file name: no id can leave the folder, and
two ids never share a file. All metadata stands in one JSON entry, because safetensors does not order several.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from lfb_lightning.errors import InputError

SUFFIX = ".safetensors"
MANIFEST = "manifest.json"
_METADATA_KEY = "lfb"
_HEADER_LENGTH_BYTES = 8
_LONGEST_NAME = 240


def file_name(video_id: str) -> str:
    """The file of a video id; raises InputError for an id whose encoded form no file system takes."""
    encoded = quote(video_id, safe="")
    if encoded.startswith("."):
        encoded = "%2E" + encoded[1:]
    if not 0 < len(encoded) <= _LONGEST_NAME:
        raise InputError(
            f"video id {video_id!r} makes a file name of {len(encoded)} characters, expected 1 to {_LONGEST_NAME}."
        )
    return encoded + SUFFIX


def video_id_of(path: Path) -> str:
    """The video id that a bank file is named after."""
    return unquote(path.name.removesuffix(SUFFIX))


@dataclass(frozen=True, slots=True)
class VideoMetadata:
    """What a bank file says of itself: its id, what made it, and the checksum of its tensors."""

    video_id: str
    rows: int
    provenance: str
    checksum: str

    def to_entry(self) -> dict[str, str]:
        """As safetensors metadata."""
        return {_METADATA_KEY: json.dumps(asdict(self), sort_keys=True)}


@dataclass(frozen=True, slots=True)
class TensorSpan:
    """Where a tensor stands in its file: dtype name, shape and absolute byte range."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read_header(path: Path) -> tuple[VideoMetadata, dict[str, TensorSpan]]:
    """A bank file's metadata and tensor places; raises InputError for a file that is cut off or foreign."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(_HEADER_LENGTH_BYTES), "little")
            size = os.fstat(file.fileno()).st_size
            if not 0 < length <= size - _HEADER_LENGTH_BYTES:
                raise ValueError("the header is cut off")
            header: dict[str, Any] = json.loads(file.read(length))
        base = _HEADER_LENGTH_BYTES + length
        metadata = VideoMetadata(**json.loads(header.pop("__metadata__")[_METADATA_KEY]))
        spans = {
            name: TensorSpan(
                entry["dtype"], tuple(entry["shape"]), base + entry["data_offsets"][0], base + entry["data_offsets"][1]
            )
            for name, entry in header.items()
        }
        if max(span.end for span in spans.values()) != size:
            raise ValueError(f"{size} bytes, but its header speaks of {max(span.end for span in spans.values())}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"bank file {path}: not a whole bank file ({error}); delete it and run lfb-extract again."
        ) from error
    return metadata, spans
