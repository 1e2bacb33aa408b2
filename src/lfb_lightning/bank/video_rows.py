"""One video's rows for windows: read from a bank file as they are needed, or held in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float32, Int32, UInt8

from lfb_lightning.bank.layout import SUFFIX, VideoMetadata, file_name, read_header, video_id_of
from lfb_lightning.bank.manifest import Manifest
from lfb_lightning.bank.precision import stored_dtype
from lfb_lightning.bank.stored_video import StoredVideo, read_video
from lfb_lightning.bank.video_table import VideoEntry, read_videos
from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.url import Url
from lfb_lightning.files.safetensors_header import TensorSpan, read_tensor

_KEPT_VIDEOS = 1024
_STORED_AS = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int8: "I8"}


@runtime_checkable
class VideoRows(Protocol):
    """N rows of a video, ascending in time: small columns are at hand, features and boxes are read on demand."""

    @property
    def timestamps(self) -> Int32[np.ndarray, " N"]:
        """The tick of each row, by the bank's clock."""

    @property
    def scores(self) -> Float32[np.ndarray, " N"]:
        """The score of each row."""

    @property
    def scales(self) -> Float32[np.ndarray, " N"] | None:
        """The factor of each row's features; None unless they are int8."""

    def features(self, low: int, high: int) -> UInt8[np.ndarray, "n bytes"]:
        """Read the bytes of the features of the rows from `low` up to `high`."""

    def boxes(self, low: int, high: int) -> Float32[np.ndarray, "n 4"]:
        """Read the boxes of the rows from `low` up to `high`."""


class RowRange(NamedTuple):
    """The rows of a video from `low` up to `high`."""

    video: VideoRows
    low: int
    high: int


@runtime_checkable
class Videos(Protocol):
    """The videos of a bank; `folder` names their place in messages."""

    folder: Path | Url

    def table(self) -> dict[str, VideoEntry]:
        """Give every video's number of rows and checksum."""

    def has(self, video_id: str) -> bool:
        """Say whether a video is there."""

    def rows(self, video_id: str) -> VideoRows | None:
        """Give a video's rows; None for a video that the bank does not have."""

    def prepare(self, video_ids: Collection[str]) -> None:
        """Get the small columns of videos that are about to be asked for, all at once where each takes a while."""

    def blocks(self, ranges: Sequence[RowRange]) -> Iterable[UInt8[np.ndarray, "n bytes"]]:
        """Read the bytes of the features of ranges of rows, in their order; asked for at once where that is faster."""

    def whole(self, video_id: str) -> StoredVideo:
        """Read and check everything that is stored of a video."""

    def content(self, video_id: str) -> bytes:
        """Give the bytes of a video's file, as it is or would be in a folder."""

    def stored(self, video_id: str) -> tuple[VideoMetadata, StoredVideo, str]:
        """Read everything that is stored of a video, with what its file says of it and the checksum of what is in it."""

    def strays(self) -> Iterable[tuple[str, str]]:
        """Name what lies in the folder and does not belong there, or does not agree with the rest; each with the reason."""


@dataclass(frozen=True, slots=True)
class FileRows:
    """Rows of a bank file: features and boxes are read through the page cache and not kept."""

    path: Path
    timestamps: Int32[np.ndarray, " N"]
    scores: Float32[np.ndarray, " N"]
    scales: Float32[np.ndarray, " N"] | None
    features_span: TensorSpan
    boxes_span: TensorSpan
    row_bytes: int

    def features(self, low: int, high: int) -> UInt8[np.ndarray, "n bytes"]:
        """See `VideoRows`."""
        return self._read(self.features_span, self.row_bytes, low, high)

    def boxes(self, low: int, high: int) -> Float32[np.ndarray, "n 4"]:
        """See `VideoRows`."""
        return self._read(self.boxes_span, 16, low, high).view(np.float32)

    def _read(self, span: TensorSpan, row_bytes: int, low: int, high: int) -> UInt8[np.ndarray, "n bytes"]:
        count = (high - low) * row_bytes
        try:
            found = np.fromfile(self.path, np.uint8, count, offset=span.begin + low * row_bytes)
        except OSError as error:
            raise InputError(
                f"bank file {self.path}: cannot be opened ({error.strerror}); run lfb-bank verify."
            ) from error
        if len(found) != count:
            raise InputError(
                f"bank file {self.path}: shorter than its header says; delete it and run lfb-extract again."
            )
        return found.reshape(high - low, row_bytes)


class FolderVideos:
    """The videos of a bank folder; the small columns of the last 1024 that were asked for are kept."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder: Path | Url = folder
        self._folder = folder
        self._checksum = manifest.videos_checksum
        self._digest = manifest.provenance.digest
        dtype = stored_dtype(manifest.provenance.precision)
        self._form = (_STORED_AS[dtype], manifest.provenance.channels)
        self._row_bytes = manifest.provenance.channels * dtype.itemsize
        self._indexes: dict[str, FileRows] = {}
        self._table: dict[str, VideoEntry] | None = None

    def table(self) -> dict[str, VideoEntry]:
        """See `Videos`; read when first asked for, since windows do without."""
        if self._table is None:
            self._table = read_videos(self._folder, self._checksum)
        return self._table

    def has(self, video_id: str) -> bool:
        """See `Videos`."""
        return (self._folder / file_name(video_id)).is_file()

    def rows(self, video_id: str) -> FileRows | None:
        """See `Videos`; raises InputError for a file that is missing or is not the manifest's."""
        video = self._indexes.get(video_id)
        if video is None:
            if not self.has(video_id):
                if video_id in self.table():
                    path = self._folder / file_name(video_id)
                    raise InputError(f"bank file {path}: is missing; run the same lfb-extract command again.")
                return None
            while len(self._indexes) >= _KEPT_VIDEOS:
                self._indexes.pop(next(iter(self._indexes)), None)
            video = self._indexes[video_id] = self._index(self._folder / file_name(video_id))
        return video

    def prepare(self, video_ids: Collection[str]) -> None:
        """See `Videos`; on a disk, one after another is as good."""

    def blocks(self, ranges: Sequence[RowRange]) -> Iterable[UInt8[np.ndarray, "n bytes"]]:
        """See `Videos`."""
        return (video.features(low, high) for video, low, high in ranges)

    def content(self, video_id: str) -> bytes:
        """See `Videos`."""
        path = self._folder / file_name(video_id)
        try:
            return path.read_bytes()
        except OSError as error:
            raise InputError(f"bank file {path}: cannot be read ({error.strerror}); run lfb-bank verify.") from error

    def stored(self, video_id: str) -> tuple[VideoMetadata, StoredVideo, str]:
        """See `Videos`; raises InputError for a file that is missing or is none of a bank."""
        return read_video(self._folder / file_name(video_id))

    def strays(self) -> Iterable[tuple[str, str]]:
        """See `Videos`."""
        known = {file_name(video_id) for video_id in self.table()}
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            if path.name not in known:
                yield video_id_of(path), f"{path.name} is not in the manifest; run lfb-extract again"

    def whole(self, video_id: str) -> StoredVideo:
        """See `Videos`; raises InputError for a file that is not as it was written."""
        metadata, video, found = self.stored(video_id)
        if found != metadata.checksum:
            path = self._folder / file_name(video_id)
            raise InputError(
                f"bank file {path}: its content has changed since it was written; delete it and run lfb-extract again."
            )
        return video

    def _index(self, path: Path) -> FileRows:
        metadata, spans = read_header(path)
        if metadata.provenance != self._digest:
            raise InputError(f"bank file {path}: another checkpoint or configuration than the manifest's made it.")
        features = spans["features"]
        if (features.dtype, features.shape[1]) != self._form:
            raise InputError(f"bank file {path}: features {features.dtype} {features.shape} are not the manifest's.")
        timestamps = read_tensor(path, spans["timestamps"])
        if (timestamps[1:] < timestamps[:-1]).any():
            raise InputError(f"bank file {path}: rows are not in order of time; delete it and run lfb-extract again.")
        scales = read_tensor(path, spans["scales"]) if features.dtype == "I8" else None
        scores = read_tensor(path, spans["scores"])
        return FileRows(path, timestamps, scores, scales, features, spans["boxes"], self._row_bytes)
