"""Reads a finished bank, a window at a time, through the page cache.

Opening reads the manifest only; a video's timestamps and scores are read when it is first asked for, and the last
1024 videos' are kept (about 8 bytes a row, whatever the size of the bank). A window is one `preadv` of a contiguous range
of rows, straight into the slots: no mapping to fault in page by page, no second copy, nothing held between calls, and
the same pages serve every process of the machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, Int32, Int64
from torch import Tensor

from lfb_lightning.bank.layout import file_name, read_header
from lfb_lightning.bank.manifest import Manifest
from lfb_lightning.bank.precision import decode, stored_dtype
from lfb_lightning.bank.scattered import RowRange, read_scattered
from lfb_lightning.bank.stored_video import StoredVideo, read_video
from lfb_lightning.bank.video_table import VideoEntry, read_videos
from lfb_lightning.bank.window import WindowSpec, choose_rows
from lfb_lightning.errors import InputError
from lfb_lightning.files.safetensors_header import TensorSpan, read_tensor
from lfb_lightning.structures import BankWindow, Keyframe

_KEPT_VIDEOS = 1024
_BOX_BYTES = 16
_STORED_AS = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int8: "I8"}
_NO_SCALES = np.zeros(0, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class _VideoIndex:
    path: Path
    features: TensorSpan
    timestamps: Int32[np.ndarray, " N"]
    scores: Float32[np.ndarray, " N"]
    boxes: TensorSpan
    scales: Float32[np.ndarray, " N"] | None


@dataclass(frozen=True, slots=True)
class _Candidates:
    """The rows that one window can take. `seconds` are numbered through all windows of the batch."""

    stored: RowRange
    seconds: Int64[np.ndarray, " N"]
    keys: Float[np.ndarray, " N"]
    scales: Float32[np.ndarray, " M"]  # N, or none


class FeatureBank:
    """One split's bank, opened by `FeatureBank.open`. Safe to share by fork, to pickle, and to read from threads."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self._digest = manifest.provenance.digest
        self._indexes: dict[str, _VideoIndex] = {}

    @classmethod
    def open(cls, folder: str | Path) -> FeatureBank:
        """Open `<bank_dir>/<split>`; raises InputError, with the command that makes it, if it is missing or unfinished."""
        folder = Path(folder)
        return cls(folder, Manifest.read(folder))

    @cached_property
    def videos(self) -> dict[str, VideoEntry]:
        """Every video's rows and checksum, read when first asked for; windows do without."""
        return read_videos(self.folder, self.manifest.videos_checksum)

    def __contains__(self, video_id: str) -> bool:
        """Whether the bank has the video."""
        return (self.folder / file_name(video_id)).is_file()

    @property
    def channels(self) -> int:
        """Channels of the features."""
        return self.manifest.provenance.channels

    @property
    def dtype(self) -> torch.dtype:
        """In which features are stored."""
        return stored_dtype(self.manifest.provenance.precision)

    @property
    def row_bytes(self) -> int:
        """Of one stored feature."""
        return self.channels * self.dtype.itemsize

    def window(self, keyframe: Keyframe, spec: WindowSpec, generator: np.random.Generator | None = None) -> BankWindow:
        """The window around one keyframe, as a batch of one: `features [1, S, C]` as stored, `mask [1, S]`."""
        return self.windows([keyframe], spec, None if generator is None else [generator])

    def windows(
        self,
        keyframes: Sequence[Keyframe],
        spec: WindowSpec,
        generators: Sequence[np.random.Generator] | None = None,
        *,
        pin_memory: bool = False,
    ) -> BankWindow:
        """The windows of several keyframes: `features [B, S, C]` as stored, `mask [B, S]`.

        A video that is not in the bank, or a second without features, leaves its slots empty.
        """
        num_slots = len(keyframes) * spec.num_slots
        features = torch.zeros(num_slots, self.channels, dtype=self.dtype, pin_memory=pin_memory)
        mask = torch.zeros(num_slots, dtype=torch.bool)
        scales = torch.zeros(num_slots) if self.dtype == torch.int8 else None
        found = list(self._ranges(keyframes, spec, generators))
        if found:
            rows, slots = choose_rows(
                spec,
                np.concatenate([part.seconds for part in found]),
                np.concatenate([part.keys for part in found]),
            )
            read_scattered([part.stored for part in found], rows, slots, features)
            mask.numpy()[slots] = True
            if scales is not None:
                scales.numpy()[slots] = np.concatenate([part.scales for part in found])[rows]
        shape = (len(keyframes), spec.num_slots)
        return BankWindow(
            features=features.view(*shape, self.channels),
            mask=mask.view(shape),
            scales=None if scales is None else scales.view(shape),
        )

    def persons(
        self, keyframe: Keyframe
    ) -> tuple[Float32[Tensor, "P 4"], Float32[Tensor, " P"], Float32[Tensor, "P C"]]:
        """The stored persons of a keyframe: normalised boxes, scores, and features as they were before storing."""
        video = self._video(keyframe.video_id)
        if video is None:
            return torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, self.channels)
        low, high = video.timestamps.searchsorted([keyframe.timestamp, keyframe.timestamp + 1]).tolist()
        features = torch.empty(high - low, self.channels, dtype=self.dtype)
        boxes = torch.empty(high - low, 4)
        every = np.arange(high - low)
        read_scattered([self._stored(video, low, high)], every, every, features)
        box_rows = RowRange(video.path, video.boxes.begin + low * _BOX_BYTES, high - low)
        read_scattered([box_rows], every, every, boxes)
        scales = None if video.scales is None else torch.from_numpy(video.scales[low:high])
        return boxes, torch.from_numpy(video.scores[low:high]), decode(features, scales)

    def read_video(self, video_id: str) -> StoredVideo:
        """Everything that is stored of a video; raises InputError for a file that is not as it was written."""
        path = self.folder / file_name(video_id)
        metadata, video, checksum = read_video(path)
        if checksum != metadata.checksum:
            raise InputError(
                f"bank file {path}: its content has changed since it was written; delete it and run lfb-extract again."
            )
        return video

    def timestamps(self, video_id: str) -> Int32[np.ndarray, " N"]:
        """The second of every row of a video, ascending; none for a video that is not in the bank."""
        video = self._video(video_id)
        return np.zeros(0, dtype=np.int32) if video is None else video.timestamps

    def keyframes(self) -> list[Keyframe]:
        """Every keyframe with at least one feature, sorted by video and time."""
        return [
            Keyframe(video_id, timestamp)
            for video_id in sorted(self.videos)
            for timestamp in np.unique(self.timestamps(video_id)).tolist()
        ]

    def _ranges(
        self, keyframes: Sequence[Keyframe], spec: WindowSpec, generators: Sequence[np.random.Generator] | None
    ) -> Iterator[_Candidates]:
        for index, keyframe in enumerate(keyframes):
            video = self._video(keyframe.video_id)
            if video is None:
                continue
            first = spec.first_second(keyframe.timestamp)
            low, high = video.timestamps.searchsorted([first, first + spec.seconds]).tolist()
            if low == high:
                continue
            if spec.selection == "top_score":
                keys = -video.scores[low:high]
            elif generators is not None:
                keys = generators[index].random(high - low)
            else:
                raise ValueError('selection="random" needs generators, one a keyframe')
            yield _Candidates(
                stored=self._stored(video, low, high),
                seconds=video.timestamps[low:high] - np.int64(first - index * spec.seconds),
                keys=keys,
                scales=video.scales[low:high] if video.scales is not None else _NO_SCALES,
            )

    def _stored(self, video: _VideoIndex, low: int, high: int) -> RowRange:
        return RowRange(video.path, video.features.begin + low * self.row_bytes, high - low)

    def _video(self, video_id: str) -> _VideoIndex | None:
        video = self._indexes.get(video_id)
        if video is None:
            path = self.folder / file_name(video_id)
            if not path.is_file():
                if video_id in self.videos:
                    raise InputError(f"bank file {path}: is missing; run the same lfb-extract command again.")
                return None
            while len(self._indexes) >= _KEPT_VIDEOS:
                self._indexes.pop(next(iter(self._indexes)), None)
            video = self._indexes[video_id] = self._index(path)
        return video

    def _index(self, path: Path) -> _VideoIndex:
        metadata, spans = read_header(path)
        if metadata.provenance != self._digest:
            raise InputError(f"bank file {path}: another checkpoint or configuration than the manifest's made it.")
        features = spans["features"]
        if (features.dtype, features.shape[1]) != (_STORED_AS[self.dtype], self.channels):
            raise InputError(f"bank file {path}: features {features.dtype} {features.shape} are not the manifest's.")
        timestamps = read_tensor(path, spans["timestamps"])
        if (timestamps[1:] < timestamps[:-1]).any():
            raise InputError(f"bank file {path}: rows are not in order of time; delete it and run lfb-extract again.")
        scales = read_tensor(path, spans["scales"]) if features.dtype == "I8" else None
        return _VideoIndex(path, features, timestamps, read_tensor(path, spans["scores"]), spans["boxes"], scales)
