"""The videos of a packed bank, as `FeatureBank` asks for them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
from jaxtyping import Float32, Int32, UInt8

from lfb_lightning.bank.layout import VideoMetadata
from lfb_lightning.bank.manifest import Manifest
from lfb_lightning.bank.packed.checking import check_others, check_shards
from lfb_lightning.bank.packed.form import VideoForm, index_name
from lfb_lightning.bank.packed.index import IndexFile, Located
from lfb_lightning.bank.packed.store import REMEDY, ByteRange, Store
from lfb_lightning.bank.stored_video import StoredVideo, parse_video
from lfb_lightning.bank.video_rows import RowRange
from lfb_lightning.bank.video_table import VideoEntry
from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.url import Url

_KEPT_VIDEOS = 1024
_AT_ONCE = 256  # videos whose persons are asked for together
Persons = tuple[Int32[np.ndarray, " N"], Float32[np.ndarray, "N 4"], Float32[np.ndarray, " N"]]  # ticks, boxes, scores


@dataclass(frozen=True, slots=True)
class PackedRows:
    """Rows of a video in a shard: features and boxes are read when they are asked for, and not kept."""

    store: Store
    video: Located
    row_bytes: int
    timestamps: Int32[np.ndarray, " N"]
    scores: Float32[np.ndarray, " N"]
    scales: Float32[np.ndarray, " N"] | None

    def features(self, low: int, high: int) -> UInt8[np.ndarray, "n bytes"]:
        """See `VideoRows`."""
        return next(iter(self.store.read([self.place("features", self.row_bytes, low, high)]))).reshape(high - low, -1)

    def boxes(self, low: int, high: int) -> Float32[np.ndarray, "n 4"]:
        """See `VideoRows`."""
        found = next(iter(self.store.read([self.place("boxes", 16, low, high)])))
        return _own(found).view(np.float32).reshape(high - low, 4)

    def place(self, tensor: str, row_bytes: int, low: int, high: int) -> ByteRange:
        """Say where rows of a tensor lie."""
        begin = self.video.spans[tensor].begin
        return ByteRange(self.video.shard, begin + low * row_bytes, begin + high * row_bytes, self.video.video_id)


class PackedVideos:
    """The videos of a packed bank; the small columns of the last 1024 that were asked for are kept.

    Args:
        store: Where the bank's files are.
        manifest: Of the bank.

    Raises:
        InputError: The index is missing, or is not the manifest's.
    """

    def __init__(self, store: Store, manifest: Manifest) -> None:
        assert manifest.packed is not None
        self.folder: Path | Url = store.folder
        self._store = store
        self._form = VideoForm(manifest.provenance.channels, manifest.provenance.precision)
        path = store.index(index_name(manifest.packed.sha256), manifest.packed.size)
        self.index = IndexFile(path, manifest.packed, self._form, manifest.num_videos)
        self._rows: dict[str, PackedRows] = {}
        self._known: set[str] = set()  # shards that are those of the index

    def table(self) -> dict[str, VideoEntry]:
        """See `Videos`."""
        return {video.video_id: VideoEntry(video.rows, video.checksum) for video in self.index.all()}

    def has(self, video_id: str) -> bool:
        """See `Videos`."""
        return video_id in self._rows or self.index.find(video_id) is not None

    def rows(self, video_id: str) -> PackedRows | None:
        """See `Videos`; raises InputError for a video whose columns are not as they were written."""
        found = self._rows.get(video_id)
        return self._load([video_id]).get(video_id) if found is None else found

    def prepare(self, video_ids: Collection[str]) -> None:
        """See `Videos`."""
        missing = [video_id for video_id in sorted(video_ids) if video_id not in self._rows]
        if missing:
            self._load(missing)

    def persons(self, video_ids: Sequence[str]) -> Iterator[Persons]:
        """Read what is stored of videos but their features, some hundred videos at once.

        Raises:
            InputError: The bank does not have one of them, or its times and scores have changed.
        """
        for begin in range(0, len(video_ids), _AT_ONCE):
            part = [self._located(video_id) for video_id in video_ids[begin : begin + _AT_ONCE]]
            rows = self._load([video.video_id for video in part])
            boxes = self._store.read(
                [ByteRange(video.shard, *video.spans["boxes"][2:], video.video_id) for video in part]
            )
            for video, found in zip(part, boxes, strict=True):
                columns = rows[video.video_id]
                yield columns.timestamps, _own(found).view(np.float32).reshape(-1, 4), columns.scores

    def blocks(self, ranges: Sequence[RowRange]) -> Iterable[UInt8[np.ndarray, "n bytes"]]:
        """See `Videos`: one range of bytes each, all of which the store is told at once."""
        places = []
        for video, low, high in ranges:
            assert isinstance(video, PackedRows)  # what `rows` gave
            places.append(video.place("features", self._form.row_bytes, low, high))
        found = self._store.read(places)
        return (block.reshape(part.high - part.low, -1) for part, block in zip(ranges, found, strict=True))

    def whole(self, video_id: str) -> StoredVideo:
        """See `Videos`; raises InputError for a video that is not as it was written."""
        video = self._located(video_id)
        metadata, stored, found = self.stored(video_id)
        if not found == metadata.checksum == video.checksum:
            raise InputError(
                f"bank shard {self.folder / video.shard}: video {video_id} has changed since it was written; {REMEDY}."
            )
        return stored

    def stored(self, video_id: str) -> tuple[VideoMetadata, StoredVideo, str]:
        """See `Videos`; raises InputError for bytes that are no bank file."""
        video = self._located(video_id)
        return parse_video(self._bytes(video), where=f"bank shard {self.folder / video.shard}, video {video_id}")

    def content(self, video_id: str) -> bytes:
        """See `Videos`: byte for byte what the file was before it was packed."""
        return self._bytes(self._located(video_id))

    def strays(self) -> Iterator[tuple[str, str]]:
        """See `Videos`."""
        yield from self.damaged_shards()
        yield from check_others(self._store, self.index)

    def damaged_shards(self) -> Iterator[tuple[str, str]]:
        """Name the shards that are missing, or are not as the index says, each with the reason."""
        yield from check_shards(self._store, self.index)

    def _load(self, video_ids: Sequence[str]) -> dict[str, PackedRows]:
        """Read the kept columns of videos, and keep them; those that the bank does not have are left out."""
        videos = [video for video_id in video_ids if (video := self.index.find(video_id)) is not None]
        self._know({video.shard: video for video in videos if video.shard not in self._known})
        found = self._store.read(
            [ByteRange(video.shard, *self._form.columns(video.spans), video.video_id) for video in videos]
        )
        loaded = {}
        for video, columns in zip(videos, found, strict=True):
            while len(self._rows) >= _KEPT_VIDEOS:
                self._rows.pop(next(iter(self._rows)), None)
            loaded[video.video_id] = self._rows[video.video_id] = self._of_columns(video, columns)
        return loaded

    def _know(self, shards: Mapping[str, Located]) -> None:
        """Refuse another bank's shard under the name of one of these, by its last bytes; `shards`: a video of each."""
        tails = [self.index.tail(video) for video in shards.values()]
        for name, tail in zip(shards, self._store.read(tails), strict=True):
            if not self.index.is_tail(name, tail.tobytes()):
                raise InputError(
                    f"bank shard {self.folder / name}: is not the one that the index was written with; {REMEDY}."
                )
            self._known.add(name)

    def _of_columns(self, video: Located, columns: UInt8[np.ndarray, " n"]) -> PackedRows:
        columns = _own(columns)
        parts = [columns[4 * video.rows * number :][: 4 * video.rows] for number in range(3)]
        scales = parts.pop(0).view(np.float32) if self._form.precision == "int8" else None
        scores, timestamps = parts[0].view(np.float32), parts[1].view(np.int32)
        if crc32(columns.data) != video.columns_crc or (timestamps[1:] < timestamps[:-1]).any():
            raise InputError(
                f"bank shard {self.folder / video.shard}: the times and scores of video {video.video_id} have changed since "
                f"they were written; {REMEDY}."
            )
        return PackedRows(self._store, video, self._form.row_bytes, timestamps, scores, scales)

    def _bytes(self, video: Located) -> bytes:
        wanted = ByteRange(video.shard, video.begin, video.begin + video.size, video.video_id)
        return next(iter(self._store.read([wanted]))).tobytes()

    def _located(self, video_id: str) -> Located:
        video = self.index.find(video_id)
        if video is None:
            raise InputError(f"bank {self.folder}: its index lists video {video_id!r} and does not find it; {REMEDY}.")
        return video


def _own(content: UInt8[np.ndarray, " n"]) -> UInt8[np.ndarray, " n"]:
    """Copy bytes that may not be written: tensors that share memory with them would warn."""
    return content if content.flags.writeable else content.copy()
