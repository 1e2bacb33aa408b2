"""Names and headers of the bank's files.

A video id is text from a csv, so it is percent-encoded before it becomes a file name: no id can leave the folder, and
two ids never share a file. All metadata stands in one JSON entry, because safetensors does not order several.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from lfb_lightning.errors import InputError
from lfb_lightning.files.json_file import parse_json
from lfb_lightning.files.safetensors_header import TensorSpan, parse_safetensors_header, read_safetensors_header

SUFFIX = ".safetensors"
MANIFEST = "manifest.json"
_METADATA_KEY = "lfb"
_LONGEST_NAME = 240


def file_name(video_id: str) -> str:
    """Give the name of a video's file.

    Raises:
        InputError: The encoded form of the id is too long for a file system.
    """
    encoded = quote(video_id, safe="")
    if encoded.startswith("."):
        encoded = "%2E" + encoded[1:]
    if not 0 < len(encoded) <= _LONGEST_NAME:
        raise InputError(
            f"video id {video_id!r} makes a file name of {len(encoded)} characters, expected 1 to {_LONGEST_NAME}."
        )
    return encoded + SUFFIX


def video_id_of(path: Path) -> str:
    """Give the id of the video that a bank file is named after."""
    return unquote(path.name.removesuffix(SUFFIX))


@dataclass(frozen=True, slots=True)
class VideoMetadata:
    """What a bank file says of itself: its id, what made it, and the checksum of its tensors."""

    video_id: str
    rows: int
    provenance: str
    checksum: str

    def to_entry(self) -> dict[str, str]:
        """Write it as safetensors metadata."""
        return {_METADATA_KEY: json.dumps(asdict(self), sort_keys=True)}


def read_header(path: Path) -> tuple[VideoMetadata, dict[str, TensorSpan]]:
    """Read a bank file's metadata and where its tensors lie.

    Raises:
        InputError: The file is cut off, or is none of a bank.
    """
    try:
        entries, spans = read_safetensors_header(path)
        return _metadata(entries, spans), spans
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"bank file {path}: not a whole bank file ({error}); delete it and run lfb-extract again."
        ) from error


def parse_header(content: bytes) -> tuple[VideoMetadata, dict[str, TensorSpan]]:
    """Read the same of a bank file in memory.

    Raises:
        ValueError: It is cut off, or is none of a bank.
    """
    try:
        entries, spans = parse_safetensors_header(io.BytesIO(content).read, len(content))
        return _metadata(entries, spans), spans
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"its header lacks {error}") from error


def _metadata(entries: Mapping[str, Any], spans: Mapping[str, TensorSpan]) -> VideoMetadata:
    metadata = VideoMetadata(**parse_json(entries[_METADATA_KEY].encode()))
    _check(metadata, spans)
    return metadata


def _check(metadata: VideoMetadata, spans: Mapping[str, TensorSpan]) -> None:
    """Raise ValueError unless every tensor that is read by place has the form that its reader takes for granted."""
    rows, shape = metadata.rows, spans["features"].shape
    if type(rows) is not int or len(shape) != 2:
        raise ValueError(f"features {shape} of {rows!r} rows")
    expected = {"timestamps": ("I32", (rows,)), "boxes": ("F32", (rows, 4)), "scores": ("F32", (rows,))}
    if spans["features"].dtype == "I8":
        expected["scales"] = ("F32", (rows,))
    expected |= dict.fromkeys(("channel_sum", "channel_square_sum"), ("F64", (shape[1],)))
    for name, form in {**expected, "features": (spans["features"].dtype, (rows, shape[1]))}.items():
        if spans[name][:2] != form:
            raise ValueError(f"{name} {spans[name].dtype} {spans[name].shape}, expected {form[0]} {form[1]}")
