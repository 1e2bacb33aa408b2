"""Reads a finished bank, a window at a time, through the page cache.

Opening reads the manifest only; a video's timestamps and scores (12 bytes a row) are read when it is first asked for.
A window is one `pread` of a contiguous range of rows: no mapping to fault in page by page, nothing held between calls,
and the same pages serve every process of the machine.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int32
from torch import Tensor

from lfb_lightning.bank.layout import TensorSpan, file_name, read_header
from lfb_lightning.bank.manifest import Manifest
from lfb_lightning.bank.precision import stored_dtype
from lfb_lightning.bank.window import WindowSpec, choose_rows
from lfb_lightning.errors import InputError
from lfb_lightning.structures import BankWindow, Keyframe


@dataclass(frozen=True, slots=True)
class _VideoIndex:
    path: Path
    features: TensorSpan
    timestamps: Int32[np.ndarray, " N"]
    scores: Float32[np.ndarray, " N"]
    boxes: Float32[np.ndarray, "N 4"]


class FeatureBank:
    """One split's bank, opened by `FeatureBank.open`. Safe to share by fork, to pickle, and to read from threads."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self._videos: dict[str, _VideoIndex | None] = {}

    @classmethod
    def open(cls, folder: str | Path) -> FeatureBank:
        """Open `<bank_dir>/<split>`; raises InputError, with the command that makes it, if it is missing or unfinished."""
        folder = Path(folder)
        return cls(folder, Manifest.read(folder))

    @property
    def channels(self) -> int:
        """Channels of the features."""
        return self.manifest.provenance.channels

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
        dtype = stored_dtype(self.manifest.provenance.precision)
        features = torch.zeros(len(keyframes), spec.num_slots, self.channels, dtype=dtype, pin_memory=pin_memory)
        mask = torch.zeros(len(keyframes), spec.num_slots, dtype=torch.bool)
        for index, keyframe in enumerate(keyframes):
            video = self._video(keyframe.video_id)
            if video is None:
                continue
            first = spec.first_second(keyframe.timestamp)
            low, high = np.searchsorted(video.timestamps, [first, first + spec.seconds]).tolist()
            if low == high:
                continue
            rows, slots = choose_rows(
                spec,
                video.timestamps[low:high].astype(np.int64) - first,
                video.scores[low:high],
                generators[index] if generators is not None else None,
            )
            read = self._read_rows(video, low, high)
            slot_index = torch.from_numpy(slots)
            features[index, slot_index] = read[torch.from_numpy(rows)]
            mask[index, slot_index] = True
        return BankWindow(features=features, mask=mask)

    def persons(self, keyframe: Keyframe) -> tuple[Tensor, Tensor, Tensor]:
        """The stored persons of a keyframe: normalised boxes `[P,4]` and scores `[P]` float32, features `[P,C]` as stored."""
        video = self._video(keyframe.video_id)
        if video is None:
            empty = torch.zeros(0, self.channels, dtype=stored_dtype(self.manifest.provenance.precision))
            return torch.zeros(0, 4), torch.zeros(0), empty
        low, high = np.searchsorted(video.timestamps, [keyframe.timestamp, keyframe.timestamp + 1]).tolist()
        boxes, scores = torch.from_numpy(video.boxes[low:high]), torch.from_numpy(video.scores[low:high])
        return boxes, scores, self._read_rows(video, low, high)

    def keyframes(self) -> list[Keyframe]:
        """Every keyframe with at least one feature, sorted by video and time."""
        return [
            Keyframe(video_id, timestamp)
            for video_id in sorted(self.manifest.videos)
            if (video := self._video(video_id)) is not None
            for timestamp in np.unique(video.timestamps).tolist()
        ]

    def _video(self, video_id: str) -> _VideoIndex | None:
        if video_id not in self._videos:
            known = video_id in self.manifest.videos
            self._videos[video_id] = self._index(self.folder / file_name(video_id)) if known else None
        return self._videos[video_id]

    def _index(self, path: Path) -> _VideoIndex:
        _, spans = read_header(path)
        return _VideoIndex(
            path,
            spans["features"],
            np.frombuffer(_pread(path, spans["timestamps"].begin, spans["timestamps"].end), dtype=np.int32),
            np.frombuffer(_pread(path, spans["scores"].begin, spans["scores"].end), dtype=np.float32),
            np.frombuffer(_pread(path, spans["boxes"].begin, spans["boxes"].end), dtype=np.float32).reshape(-1, 4),
        )

    def _read_rows(self, video: _VideoIndex, low: int, high: int) -> Tensor:
        dtype = stored_dtype(self.manifest.provenance.precision)
        row_bytes = self.channels * dtype.itemsize
        begin = video.features.begin + low * row_bytes
        if low == high:
            return torch.zeros(0, self.channels, dtype=dtype)
        content = _pread(video.path, begin, begin + (high - low) * row_bytes)
        return torch.frombuffer(content, dtype=dtype).view(high - low, self.channels)


def _pread(path: Path, begin: int, end: int) -> bytearray:
    """Bytes [begin, end) of a file; raises InputError when it has become shorter."""
    buffer = bytearray(end - begin)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        if os.preadv(descriptor, [buffer], begin) != len(buffer):
            raise InputError(f"bank file {path}: shorter than its header says; delete it and run lfb-extract again.")
    finally:
        os.close(descriptor)
    return buffer
