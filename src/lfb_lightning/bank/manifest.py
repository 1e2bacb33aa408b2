"""The manifest: what made a bank and what is in it, written last and atomically.

A folder without a manifest is an unfinished bank. The manifest is made from the headers of the finished files, so any
process can write it, and two that do write the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, get_args

import numpy as np
from jaxtyping import Float64

from lfb_lightning.bank.layout import MANIFEST, SUFFIX, file_name, read_header
from lfb_lightning.bank.precision import Precision
from lfb_lightning.bank.video_table import VideoEntry, write_videos
from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import write_durably
from lfb_lightning.files.json_file import read_json_object
from lfb_lightning.files.safetensors_header import read_tensor

_VERSION = 3
_MOST_CHANNELS = 1 << 16
_MOST_ROWS = 1 << 48


@dataclass(frozen=True, slots=True)
class Provenance:
    """Everything that decides a bank's content; two banks of equal provenance and videos are equal."""

    checkpoint_digest: str  # of the whole detector
    backbone_digest: str  # of the part that makes features
    backbone: str
    channels: int
    precision: str  # in which features are stored
    compute_precision: str  # in which they were computed: trainer.precision
    clip: Mapping[str, Any]  # frames, stride, rate, resizing
    keyframes: str  # how they were chosen
    score_threshold: float
    split: str
    package_version: str
    origin: str = "extracted"  # or what it was converted or imported from

    @property
    def digest(self) -> str:
        """Identifies the provenance; the package version is recorded, not compared."""
        content = {key: value for key, value in asdict(self).items() if key != "package_version"}
        return hashlib.sha256(json.dumps(_plain(content), sort_keys=True).encode()).hexdigest()

    def differences(self, other: Provenance) -> list[str]:
        """`field: this, other` for all that differs, the package version aside."""
        names = [entry.name for entry in fields(self) if entry.name != "package_version"]
        return [
            f"{name}: {getattr(self, name)!r} there, {getattr(other, name)!r} here"
            for name in names
            if _plain(getattr(self, name)) != _plain(getattr(other, name))
        ]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A finished bank. `mean` and `std` are the features' per-channel statistics over all rows."""

    provenance: Provenance
    num_videos: int
    num_rows: int
    mean: list[float]
    std: list[float]
    videos_checksum: str  # of videos.json
    failed: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """The manifest of a bank folder; raises InputError for an unfinished, missing or foreign one."""
        path = folder / MANIFEST
        if not path.is_file():
            state = "is unfinished (no manifest.json)" if any(folder.glob(f"*{SUFFIX}")) else "does not exist"
            raise InputError(
                f"bank {folder}: {state}; run `lfb-extract split={folder.name} ckpt_path=<baseline>/checkpoints/best.ckpt "
                f"bank.dir={folder.parent}`."
            )
        remedy = "delete it and run the same lfb-extract command again: it keeps finished videos"
        content = read_json_object(path, what="bank manifest", remedy=remedy)
        if (version := content.pop("format", None)) != _VERSION:
            raise InputError(
                f"bank {folder}: is in format {version!r:.50}, this package reads {_VERSION}; delete the folder and extract "
                "or import it again."
            )
        made = content.pop("provenance", None)
        try:
            _refuse_odd_figures(made, content)
            return cls(provenance=Provenance(**made), **content)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"bank manifest {path}: cannot be used ({error}); {remedy}.") from error

    def write(self, folder: Path) -> Path:
        """Write the manifest under a temporary name, then rename it."""
        content = {"format": _VERSION, **asdict(self)}
        path = folder / MANIFEST
        write_durably(path, json.dumps(content, sort_keys=True, indent=1, default=dict).encode())
        return path


def statistics(
    total: Float64[np.ndarray, " C"], squares: Float64[np.ndarray, " C"], rows: int
) -> tuple[Float64[np.ndarray, " C"], Float64[np.ndarray, " C"]]:
    """Per-channel mean and standard deviation from sums and sums of squares; zeros where there are no rows."""
    mean = total / max(rows, 1)
    return mean, np.sqrt(np.clip(squares / max(rows, 1) - mean**2, 0, None))


def finish_bank(
    folder: Path, provenance: Provenance, video_ids: Sequence[str], failed: Mapping[str, str] | None = None
) -> Manifest:
    """Gather the finished files of `video_ids` into a manifest and write it; a video with a file has not failed.

    Raises InputError when a video has neither a file nor an entry in `failed`.
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
    num_rows = sum(entry.rows for entry in videos.values())
    mean, std = statistics(total, squares, num_rows)
    manifest = Manifest(
        provenance=provenance,
        num_videos=len(videos),
        num_rows=num_rows,
        mean=mean.tolist(),
        std=std.tolist(),
        videos_checksum=write_videos(folder, videos),
        failed=failed,
    )
    manifest.write(folder)
    return manifest


def _refuse_odd_figures(made: Any, content: Mapping[str, Any]) -> None:
    """Raise ValueError for what readers of a bank could not live with: its channels decide how much memory a window takes."""
    if not isinstance(made, dict) or not isinstance(made["clip"], dict):
        raise ValueError("its provenance does not say how the features were made")
    texts = {name: value for name, value in made.items() if name not in ("channels", "clip", "score_threshold")}
    if not all(isinstance(text, str) for text in [*texts.values(), content["videos_checksum"]]):
        raise ValueError(f"its provenance holds something else than texts: {reprlib.repr(texts)}")
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


def _plain(value: Any) -> Any:
    """As JSON gives it back, whole numbers as integers: 30 and 30.0 are one."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
