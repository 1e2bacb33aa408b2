"""The manifest: what made a bank and what is in it, written last and atomically.

A folder without a manifest is an unfinished bank. The manifest is made from the headers of the finished files, so any
process can write it, and two that do write the same bytes.
"""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_args

import numpy as np
from jaxtyping import Float64

from lfb_lightning.bank.layout import MANIFEST, SUFFIX, file_name, read_header
from lfb_lightning.bank.packed.form import PackedIndex
from lfb_lightning.bank.precision import Precision
from lfb_lightning.bank.provenance import ADDED, Provenance
from lfb_lightning.bank.video_table import VideoEntry, write_videos
from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import write_durably
from lfb_lightning.files.json_file import parse_json_object
from lfb_lightning.files.objects.url import Url
from lfb_lightning.files.safetensors_header import read_tensor

_VERSION = 3
_VERSION_OF_CLOCKS = 4  # written where a field that format 3 does not have is not at its default
_VERSION_OF_PACKED = 5
_NO_TEXTS = ("channels", "clip", "score_threshold", "spacing")
_REMEDY = "delete it and run the same lfb-extract command again: it keeps finished videos"
_MOST_CHANNELS = 1 << 16
_MOST_ROWS = 1 << 48


@dataclass(frozen=True, slots=True)
class Manifest:
    """A finished bank.

    Args:
        provenance: What made it.
        num_videos: Videos that are in it.
        num_rows: Features of all videos.
        mean: Of each channel over all rows.
        std: Of each channel over all rows.
        videos_checksum: SHA-256 of videos.json.
        failed: Why a video that was asked for is not in it.
        packed: Where its videos lie, if they are packed; None: in a file each.
    """

    provenance: Provenance
    num_videos: int
    num_rows: int
    mean: list[float]
    std: list[float]
    videos_checksum: str
    failed: dict[str, str] = field(default_factory=dict)
    packed: PackedIndex | None = None

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read the manifest of a bank folder.

        Raises:
            InputError: The bank is unfinished or missing, or the file is no manifest.
        """
        path = folder / MANIFEST
        if not path.is_file():
            if any(folder.glob("*.shard")):
                raise InputError(f"bank {folder}: is not packed to its end; run the same lfb-bank pack command again.")
            state = "is unfinished (no manifest.json)" if any(folder.glob(f"*{SUFFIX}")) else "does not exist"
            raise InputError(
                f"bank {folder}: {state}; run `lfb-extract split={folder.name} ckpt_path=<baseline>/checkpoints/best.ckpt "
                f"bank.dir={folder.parent}`."
            )
        try:
            return cls.parse(path.read_bytes(), folder)
        except OSError as error:
            raise InputError(f"bank manifest {path}: cannot be read ({error.strerror}).") from error

    @classmethod
    def parse(cls, text: bytes, folder: Path | Url) -> Manifest:
        """Read a manifest's bytes.

        Args:
            text: What its file holds.
            folder: Where the bank is, for messages.

        Raises:
            InputError: It is no manifest, or of a format that is not read.
        """
        path, remedy = folder / MANIFEST, _REMEDY
        content = parse_json_object(text, where=f"bank manifest {path}", remedy=remedy)
        version = content.pop("format", None)
        if version not in (_VERSION, _VERSION_OF_CLOCKS, _VERSION_OF_PACKED):
            raise InputError(
                f"bank {folder}: is in format {version!r:.50}, this package reads {_VERSION} to {_VERSION_OF_PACKED}; "
                "delete the folder and extract or import it again."
            )
        made = content.pop("provenance", None)
        try:
            _refuse_odd_figures(made, content)
            if version == _VERSION and made.keys() & ADDED:
                raise ValueError(f"format {_VERSION} does not have {sorted(made.keys() & ADDED)}")
            spacing = tuple(made.pop("spacing", ()))
            packed = PackedIndex.parse(content.pop("packed")) if version == _VERSION_OF_PACKED else None
            return cls(provenance=Provenance(**made, spacing=spacing), packed=packed, **content)
        except (InputError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"bank manifest {path}: cannot be used ({error}); {remedy}.") from error

    @classmethod
    def of(
        cls,
        provenance: Provenance,
        rows: Sequence[int],
        total: Float64[np.ndarray, " C"],
        squares: Float64[np.ndarray, " C"],
        videos_checksum: str,
        failed: Mapping[str, str] | None = None,
    ) -> Manifest:
        """Make the manifest of some videos.

        Args:
            provenance: What made them.
            rows: Features of each video.
            total: Sum of each channel over all rows.
            squares: Sum of each channel's squares over all rows.
            videos_checksum: SHA-256 of videos.json.
            failed: Why a video is not among them.
        """
        mean, std = statistics(total, squares, sum(rows))
        return cls(provenance, len(rows), sum(rows), mean.tolist(), std.tolist(), videos_checksum, dict(failed or {}))

    def write(self, folder: Path) -> Path:
        """Write the manifest under a temporary name, then rename it."""
        path = folder / MANIFEST
        write_durably(path, self.content())
        return path

    def content(self) -> bytes:
        """Give what its file holds."""
        made = self.provenance.content()
        version = _VERSION_OF_CLOCKS if made.keys() & ADDED else _VERSION
        content = {"format": version, **asdict(self), "provenance": made}
        if self.packed is None:
            del content["packed"]
        else:
            content["format"] = _VERSION_OF_PACKED
        return json.dumps(content, sort_keys=True, indent=1, default=dict).encode()


def statistics(
    total: Float64[np.ndarray, " C"], squares: Float64[np.ndarray, " C"], rows: int
) -> tuple[Float64[np.ndarray, " C"], Float64[np.ndarray, " C"]]:
    """Compute each channel's mean and standard deviation.

    Args:
        total: Sums over all rows.
        squares: Sums of squares over all rows.
        rows: Number of rows.

    Returns:
        Means and standard deviations; zeros where there are no rows.
    """
    mean = total / max(rows, 1)
    return mean, np.sqrt(np.clip(squares / max(rows, 1) - mean**2, 0, None))


def finish_bank(
    folder: Path, provenance: Provenance, video_ids: Sequence[str], failed: Mapping[str, str] | None = None
) -> Manifest:
    """Gather finished files into a manifest and write it.

    Args:
        folder: The bank's folder.
        provenance: What made the files.
        video_ids: The videos that the bank is to hold.
        failed: Why a video has no file; one that has a file has not failed.

    Raises:
        InputError: A video has neither a file nor a reason.
    """
    failed = {name: why for name, why in (failed or {}).items() if not (folder / file_name(name)).is_file()}
    videos: dict[str, VideoEntry] = {}
    total, squares = np.zeros(provenance.channels), np.zeros(provenance.channels)
    for video_id in sorted(set(video_ids) - failed.keys()):
        path = folder / file_name(video_id)
        if not path.is_file():
            raise InputError(
                f"bank {folder}: {path.name} is missing; run the same lfb-extract command again to finish it."
            )
        metadata, spans = read_header(path)
        if spans["features"].shape[1] != provenance.channels:
            raise InputError(
                f"bank file {path}: features of {spans['features'].shape[1]} channels, expected {provenance.channels}; "
                "delete it and run lfb-extract again."
            )
        videos[video_id] = VideoEntry(rows=metadata.rows, checksum=metadata.checksum)
        total += read_tensor(path, spans["channel_sum"])
        squares += read_tensor(path, spans["channel_square_sum"])
    rows = [entry.rows for entry in videos.values()]
    manifest = Manifest.of(provenance, rows, total, squares, write_videos(folder, videos), failed)
    manifest.write(folder)
    return manifest


def _refuse_odd_figures(made: Any, content: Mapping[str, Any]) -> None:
    """Raise ValueError for figures that readers cannot take: the channels decide how much memory a window takes."""
    if not isinstance(made, dict) or not isinstance(made["clip"], dict):
        raise ValueError("its provenance does not say how the features were made")
    texts = {name: value for name, value in made.items() if name not in _NO_TEXTS}
    if not all(isinstance(text, str) for text in [*texts.values(), content["videos_checksum"]]):
        raise ValueError(f"its provenance holds something else than texts: {reprlib.repr(texts)}")
    spacing = made.get("spacing", [])
    if not isinstance(spacing, list) or not all(type(ticks) is int for ticks in spacing):
        raise ValueError(f"spacing is {reprlib.repr(spacing)}, expected whole numbers of ticks")
    if made["precision"] not in get_args(Precision):
        raise ValueError(f"precision is {made['precision']!r:.50}, expected one of {', '.join(get_args(Precision))}")
    channels, counts = made["channels"], (content["num_videos"], content["num_rows"])
    if type(channels) is not int or not 0 < channels <= _MOST_CHANNELS:
        raise ValueError(f"channels is {channels!r:.50}, expected 1 to {_MOST_CHANNELS}")
    if not all(type(count) is int and 0 <= count < _MOST_ROWS for count in counts):
        raise ValueError(f"num_videos and num_rows are {counts!r:.100}, expected whole numbers below {_MOST_ROWS}")
    for name in ("mean", "std"):
        values = content[name]
        if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
            raise ValueError(f"{name} is no list of numbers")
        if len(values) != channels:
            raise ValueError(f"{name} has {len(values)} numbers, expected one per channel: {channels}")
    failed = content.get("failed", {})
    if not isinstance(failed, dict) or not all(isinstance(why, str) for why in failed.values()):
        raise ValueError("failed does not name videos with a reason each")
