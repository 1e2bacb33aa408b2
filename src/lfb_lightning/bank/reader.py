"""Reads a finished bank, a window at a time.

Opening a folder reads the manifest only; a video's timestamps and scores are read when it is first asked for. A window is
one read of a contiguous range of rows through the page cache and one copy into the slots: nothing is mapped or held
between calls, and the same pages serve every process of the machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32, Int32, Int64
from torch import Tensor

from lfb_lightning.bank.choosing import ChosenRows, choose_in_videos
from lfb_lightning.bank.manifest import Manifest, Provenance
from lfb_lightning.bank.memory import BankRows, hold
from lfb_lightning.bank.opening import open_videos
from lfb_lightning.bank.precision import decode, stored_dtype
from lfb_lightning.bank.stored_video import StoredVideo
from lfb_lightning.bank.video_rows import RowRange, Videos
from lfb_lightning.bank.video_table import VideoEntry
from lfb_lightning.bank.window import WindowSpec
from lfb_lightning.bank.window_memory import WindowMemory
from lfb_lightning.clock import Clock, exact
from lfb_lightning.files.objects.url import Url
from lfb_lightning.structures import BankWindow, Keyframe


class FeatureBank:
    """One split's bank, in a folder (`FeatureBank.open`) or in memory (`FeatureBank.from_rows`).

    Safe to share by fork, to pickle, and to read from threads.

    Attributes:
        manifest: What made the bank, and its features' statistics.
        clock: The clock of the keyframes that it is asked for; the bank's own unless given.
    """

    def __init__(self, manifest: Manifest, videos: Videos, clock: Clock | None = None) -> None:
        self.manifest = manifest
        self.clock = clock or manifest.provenance.clock
        self._bank_clock = manifest.provenance.clock
        self._videos = videos
        self._memory = WindowMemory()

    @classmethod
    def open(cls, folder: str | Path | Url, *, clock: Clock | None = None) -> FeatureBank:
        """Open the bank of a folder, or a packed one in an object store.

        Args:
            folder: `<bank_dir>/<split>`; or its URL, such as s3://bucket/banks/fp16/val.
            clock: The data set's clock, where that is not the bank's.

        Raises:
            InputError: With the command that makes it, if it is missing or unfinished.
        """
        return cls(*open_videos(folder), clock)

    @classmethod
    def from_rows(
        cls,
        videos: Mapping[str, BankRows],
        *,
        channels: int,
        ticks_per_second: str | int | float = 1,
        entries: str = "persons",
        spacing: Sequence[int] = (),
        precision: str = "fp32",
        split: str = "memory",
        clock: Clock | None = None,
    ) -> FeatureBank:
        """A bank in memory, with the windows that it would have in a folder.

        Args:
            videos: The rows of each video.
            channels: Channels of the features.
            ticks_per_second: What the timestamps count.
            entries: What a row is: persons, clips or objects.
            spacing: Ticks from one entry to the next and the first one's tick, where they are evenly spaced.
            precision: How features are kept; see `precision`.
            split: The split's name.
            clock: The data set's clock, where that is not the bank's.

        Raises:
            InputError: For features that are not finite, or ticks out of bounds.
        """
        made = Provenance.unknown(
            channels=channels,
            precision=precision,
            keyframes="given",
            split=split,
            origin="rows in memory",
            ticks_per_second=str(exact(ticks_per_second, "ticks_per_second")),
            entries=entries,
            spacing=tuple(spacing),
        )
        return cls(*hold(videos, made), clock)

    @property
    def folder(self) -> Path | Url:
        """The bank's folder or URL; of a bank in memory only a name for messages."""
        return self._videos.folder

    @property
    def source(self) -> Videos:
        """Where its rows come from: for checks and copies of whole files."""
        return self._videos

    @cached_property
    def videos(self) -> dict[str, VideoEntry]:
        """Every video's rows and checksum, read when first asked for; windows do without."""
        return self._videos.table()

    def __contains__(self, video_id: str) -> bool:
        """Whether the bank has the video."""
        return self._videos.has(video_id)

    @property
    def channels(self) -> int:
        """Channels of the features."""
        return self.manifest.provenance.channels

    @property
    def dtype(self) -> torch.dtype:
        """The dtype that features are stored in."""
        return stored_dtype(self.manifest.provenance.precision)

    @property
    def row_bytes(self) -> int:
        """Bytes of one stored feature."""
        return self.channels * self.dtype.itemsize

    def window(self, keyframe: Keyframe, spec: WindowSpec, generator: np.random.Generator | None = None) -> BankWindow:
        """Read the window around one keyframe, as a batch of one: `features [1, S, C]` as stored, `mask [1, S]`."""
        return self.windows([keyframe], spec, None if generator is None else [generator])

    def windows(
        self,
        keyframes: Sequence[Keyframe],
        spec: WindowSpec,
        generators: Sequence[np.random.Generator] | None = None,
        *,
        pin_memory: bool = False,
    ) -> BankWindow:
        """The windows of several keyframes.

        Args:
            keyframes: Where, in ticks of `clock`.
            spec: Which part of the bank, in which slots.
            generators: One per keyframe, for windows of a random choice.
            pin_memory: Whether the features are to be in page-locked memory.

        Returns:
            `features [B, S, C]` as stored and `mask [B, S]`. A video that is not in the bank, or a moment without features,
            leaves its slots empty.
        """
        num_slots, shape = len(keyframes) * spec.slots, (len(keyframes), spec.slots)
        features = self._memory.rows(num_slots, self.channels, self.dtype, pin_memory=pin_memory)
        mask = torch.zeros(num_slots, dtype=torch.bool)
        scales = torch.zeros(num_slots) if self.dtype == torch.int8 else None
        target = features.view(torch.uint8).numpy()
        parts = list(self._chosen(keyframes, spec, generators))
        blocks = self._videos.blocks([RowRange(part.video, part.low, part.high) for part in parts])
        for (video, low, high, chosen, slots), block in zip(parts, blocks, strict=True):
            mask.numpy()[slots] = True
            target[slots] = block if len(chosen) == len(block) else block[chosen]
            if scales is not None and video.scales is not None:  # both, of int8
                scales.numpy()[slots] = video.scales[low:high][chosen]
        target[~mask.numpy()] = 0
        scales = None if scales is None else scales.view(shape)
        return BankWindow(features=features.view(*shape, self.channels), mask=mask.view(shape), scales=scales)

    def window_rows(
        self,
        keyframes: Sequence[Keyframe],
        spec: WindowSpec,
        generators: Sequence[np.random.Generator] | None = None,
    ) -> Int64[np.ndarray, "B S"]:
        """Say which row of its video stands in each slot of the windows that `windows` gives for equal arguments.

        Returns:
            Indices into what is stored of the keyframe's video (`read_video`, `timestamps`), and -1 for an empty slot.
        """
        rows = np.full(len(keyframes) * spec.slots, -1, dtype=np.int64)
        for _, low, _, chosen, slots in self._chosen(keyframes, spec, generators):
            rows[slots] = low + chosen
        return rows.reshape(len(keyframes), spec.slots)

    def rows_at(
        self, keyframe: Keyframe
    ) -> tuple[Float32[Tensor, "P 4"], Float32[Tensor, " P"], Float32[Tensor, "P C"]]:
        """Read the rows at a keyframe: normalized boxes, scores, and the features that the stored ones stand for."""
        video = self._videos.rows(keyframe.video_id)
        at = self.row_range(keyframe)
        if video is None or not at:
            return torch.zeros(0, 4), torch.zeros(0), torch.zeros(0, self.channels)
        low, high = at.start, at.stop
        features = torch.empty(high - low, self.channels, dtype=self.dtype)
        features.view(torch.uint8).numpy()[:] = video.features(low, high)
        scales = None if video.scales is None else torch.from_numpy(video.scales[low:high])
        boxes, scores = torch.from_numpy(video.boxes(low, high)), torch.from_numpy(video.scores[low:high])
        return boxes, scores, decode(features, scales)

    def row_range(self, keyframe: Keyframe) -> range:
        """Say which rows of its video are those at a keyframe; none where that is no tick of the bank's clock."""
        tick = self.clock.seconds(keyframe.timestamp) * self._bank_clock.ticks_per_second
        if tick.denominator > 1:
            return range(0)
        return range(*self.timestamps(keyframe.video_id).searchsorted([int(tick), int(tick) + 1]).tolist())

    def boxes(self, video_id: str, rows: range) -> tuple[Float32[np.ndarray, "N 4"], Float32[np.ndarray, " N"]]:
        """Read the normalized boxes and the scores of consecutive rows of a video; none for a video not in the bank."""
        video = self._videos.rows(video_id)
        if video is None:
            return np.zeros((0, 4), dtype=np.float32), np.zeros(0, dtype=np.float32)
        return video.boxes(rows.start, rows.stop), video.scores[rows.start : rows.stop]

    def read_video(self, video_id: str) -> StoredVideo:
        """Read all that is stored of a video; raises InputError for a file that is not as it was written."""
        return self._videos.whole(video_id)

    def timestamps(self, video_id: str) -> Int32[np.ndarray, " N"]:
        """Give the tick of every row of a video by the bank's clock, ascending; none for a video not in the bank."""
        video = self._videos.rows(video_id)
        return np.zeros(0, dtype=np.int32) if video is None else video.timestamps

    def keyframes(self) -> list[Keyframe]:
        """List every keyframe of `clock` with at least one feature, sorted by video and time."""
        scale = self.clock.ticks_per_second / self._bank_clock.ticks_per_second
        return [
            Keyframe(video_id, tick * scale.numerator // scale.denominator)
            for video_id in sorted(self.videos)
            for tick in np.unique(self.timestamps(video_id)).tolist()
            if tick % scale.denominator == 0
        ]

    def _chosen(
        self, keyframes: Sequence[Keyframe], spec: WindowSpec, generators: Sequence[np.random.Generator] | None
    ) -> Iterator[ChosenRows]:
        bounds = spec.bounds(self.clock, self._bank_clock, self.manifest.provenance.step)
        self._videos.prepare({keyframe.video_id for keyframe in keyframes})
        return choose_in_videos(self._videos, keyframes, spec, bounds, generators)
