"""A bank in memory, with the rows of its videos as a folder would store them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Int, Int32, UInt8
from safetensors.torch import save
from torch import Tensor

from lfb_lightning.bank.layout import VideoMetadata
from lfb_lightning.bank.manifest import Manifest, Provenance
from lfb_lightning.bank.stored_video import StoredVideo, checksum, store_video
from lfb_lightning.bank.video_rows import RowRange
from lfb_lightning.bank.video_table import VideoEntry
from lfb_lightning.files.objects.url import Url


class BankRows(NamedTuple):
    """The rows of a video for a bank in memory, in any order of time.

    Attributes:
        timestamps: The tick of each row.
        boxes: Normalized xyxy; that of a whole clip is 0, 0, 1, 1.
        scores: The detector's confidences; that of a whole clip is 1.
        features: One per row.
    """

    timestamps: Int[Tensor, " N"]
    boxes: Float[Tensor, "N 4"]
    scores: Float[Tensor, " N"]
    features: Float[Tensor, "N C"]


@dataclass(frozen=True, slots=True)
class MemoryRows:
    """The rows of one video in memory, as `VideoRows` asks for them."""

    video: StoredVideo

    @property
    def timestamps(self) -> Int32[np.ndarray, " N"]:
        """The tick of each row, ascending."""
        return self.video.timestamps.numpy()

    @property
    def scores(self) -> Float32[np.ndarray, " N"]:
        """The confidence of each row."""
        return self.video.scores.numpy()

    @property
    def scales(self) -> Float32[np.ndarray, " N"] | None:
        """What each row of int8 features is multiplied by; None for other precisions."""
        return None if self.video.scales is None else self.video.scales.numpy()

    def features(self, low: int, high: int) -> UInt8[np.ndarray, "n bytes"]:
        """The stored bytes of rows `low` up to `high`."""
        return self.video.features[low:high].view(torch.uint8).numpy()

    def boxes(self, low: int, high: int) -> Float32[np.ndarray, "n 4"]:
        """The boxes of rows `low` up to `high`."""
        return self.video.boxes[low:high].numpy()


class MemoryVideos:
    """The videos of a bank in memory, as `Videos` asks for them."""

    folder: Path | Url = Path("in memory")

    def __init__(self, videos: dict[str, StoredVideo], digest: str) -> None:
        self._videos = videos
        self._digest = digest

    def table(self) -> dict[str, VideoEntry]:
        """Give the number of rows and the checksum of each video."""
        return {
            name: VideoEntry(len(video.timestamps), checksum(video.to_tensors()))
            for name, video in self._videos.items()
        }

    def has(self, video_id: str) -> bool:
        """Whether the bank has rows of a video."""
        return video_id in self._videos

    def rows(self, video_id: str) -> MemoryRows | None:
        """Give the rows of a video; None for one that is not in the bank."""
        video = self._videos.get(video_id)
        return None if video is None else MemoryRows(video)

    def prepare(self, video_ids: Collection[str]) -> None:
        """Do nothing: all is at hand."""

    def blocks(self, ranges: Sequence[RowRange]) -> Iterable[UInt8[np.ndarray, "n bytes"]]:
        """Give the stored bytes of ranges of rows."""
        return (video.features(low, high) for video, low, high in ranges)

    def whole(self, video_id: str) -> StoredVideo:
        """Give everything that is stored of a video."""
        return self._videos[video_id]

    def content(self, video_id: str) -> bytes:
        """Give the bytes that a video's file would have."""
        return save(self._videos[video_id].to_tensors(), self.stored(video_id)[0].to_entry())

    def stored(self, video_id: str) -> tuple[VideoMetadata, StoredVideo, str]:
        """Give everything that is stored of a video, and what a file would say of it."""
        video = self._videos[video_id]
        found = checksum(video.to_tensors())
        return VideoMetadata(video_id, len(video.timestamps), self._digest, found), video, found

    def strays(self) -> Iterable[tuple[str, str]]:
        """Name nothing: there is no folder in which something else could lie."""
        return ()


def hold(videos: Mapping[str, BankRows], made: Provenance) -> tuple[Manifest, MemoryVideos]:
    """Put rows into a bank in memory.

    Args:
        videos: The rows of each video.
        made: What made them.

    Returns:
        The manifest and the videos.

    Raises:
        InputError: Features are not finite, or ticks out of bounds.
    """
    stored = {
        name: store_video(name, **BankRows(*rows)._asdict(), precision=made.precision, clock=made.clock)
        for name, rows in videos.items()
    }
    total, squares = np.zeros(made.channels), np.zeros(made.channels)
    for name in sorted(stored):
        sums = stored[name].to_tensors()
        total += sums["channel_sum"].numpy()
        squares += sums["channel_square_sum"].numpy()
    rows = [len(video.timestamps) for video in stored.values()]
    return Manifest.of(made, rows, total, squares, videos_checksum=""), MemoryVideos(stored, made.digest)
