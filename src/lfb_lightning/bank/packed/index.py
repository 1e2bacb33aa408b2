"""The index of a packed bank: finds a video among any number of them, with some small reads and nothing kept in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import NamedTuple, NoReturn
from zlib import crc32

import numpy as np

from lfb_lightning.bank.packed.form import (
    ALIGNMENT,
    ENTRY,
    INDEX_HEAD,
    INDEX_MAGIC,
    SHARD,
    SHARD_MAGIC,
    SHARD_TAIL,
    VERSION,
    Entry,
    PackedIndex,
    VideoForm,
    shard_name,
)
from lfb_lightning.bank.packed.store import REMEDY, ByteRange
from lfb_lightning.errors import InputError
from lfb_lightning.files.safetensors_header import TensorSpan


class Located(NamedTuple):
    """A video of a packed bank.

    Args:
        video_id: Its id.
        shard: The name of its shard's file.
        begin: Where its bank file begins in the shard.
        size: That file's bytes.
        rows: Its rows.
        spans: Where each tensor lies in the shard.
        columns_crc: CRC-32 of the columns that are kept.
        checksum: SHA-256 of its tensors, as text.
    """

    video_id: str
    shard: str
    begin: int
    size: int
    rows: int
    spans: dict[str, TensorSpan]
    columns_crc: int
    checksum: str


class IndexFile:
    """The file of an index. Its ids ascend, so that a video is found by halving.

    An entry is checked when it is used, the whole file once: before it is believed that a video is not there.

    Args:
        path: The file.
        index: What the manifest says of it.
        form: What is the same of all videos.
        videos: How many there are.

    Raises:
        InputError: It is missing, or is not the manifest's.
    """

    def __init__(self, path: Path, index: PackedIndex, form: VideoForm, videos: int) -> None:
        self.path = path
        self._form = form
        self._expected = index
        self._checked = False
        with self._open() as file:
            size = file.seek(0, 2)
            head = self._at(file, 0, INDEX_HEAD.size) if size >= INDEX_HEAD.size else bytes(INDEX_HEAD.size)
            magic, version, shards, self.videos, self._id_bytes, crc = INDEX_HEAD.unpack(head)
            self._entries = INDEX_HEAD.size + shards * SHARD.itemsize
            self._ids = self._entries + self.videos * ENTRY.itemsize
            if magic != INDEX_MAGIC or version != VERSION:
                self._refuse(f"it is no index of version {VERSION}")
            if not size == index.size == self._ids + self._id_bytes:
                self._refuse(f"{size} bytes, its head says {self._ids + self._id_bytes}, the manifest {index.size}")
            if self.videos != videos:
                self._refuse(f"it has {self.videos} videos, the manifest {videos}")
            table = self._at(file, INDEX_HEAD.size, shards * SHARD.itemsize)
        if crc32(table) != crc:
            self._refuse("its table of shards has changed since it was written")
        self.shards = np.frombuffer(table, dtype=SHARD)
        self.names = [shard_name(number, row["digest"].tobytes()) for number, row in enumerate(self.shards)]

    def find(self, video_id: str) -> Located | None:
        """Find a video; None for one that the bank does not have.

        Raises:
            InputError: The index is damaged.
        """
        wanted = video_id.encode()
        low, high = 0, self.videos
        with self._open() as file:
            while low < high:
                middle = (low + high) // 2
                entry = Entry.unpack(self._at(file, self._entries + middle * ENTRY.itemsize, ENTRY.itemsize))
                found = self._id(file, entry)
                if found == wanted:
                    return self._located(entry, found)
                low, high = (middle + 1, high) if found < wanted else (low, middle)
        if not self._checked:
            self.check()
        return None

    def all(self) -> Iterator[Located]:
        """List every video by id; raises InputError where the index is damaged."""
        content = self.check()
        ids, before = memoryview(content)[self._ids :], b""
        for place in range(self._entries, self._ids, ENTRY.itemsize):
            entry = Entry.unpack(content[place : place + ENTRY.itemsize])
            text = bytes(ids[entry.id_begin : entry.id_begin + entry.id_bytes])
            if text <= before and place > self._entries:  # halving would not find one of them
                self._refuse("its ids do not ascend")
            before = text
            yield self._located(entry, text)

    def check(self) -> bytes:
        """Read the whole file; raises InputError if it has changed when it is first read so."""
        content = self.path.read_bytes()
        if not self._checked and hashlib.sha256(content).hexdigest() != self._expected.sha256:
            self._refuse("it is not the one that manifest.json was written with")
        self._checked = True
        return content

    def tail(self, video: Located) -> ByteRange:
        """Say where the last bytes of a video's shard lie, which `is_tail` knows."""
        size = int(self.shards["size"][self.names.index(video.shard)])
        if size < SHARD_TAIL.size:
            self._refuse(f"it says that a shard has {size} bytes")
        return ByteRange(video.shard, size - SHARD_TAIL.size, size, video.video_id)

    def is_tail(self, name: str, content: bytes) -> bool:
        """Say whether a shard's last bytes are those of the one that the index was written with."""
        number = self.names.index(name)
        *head, _, _, footer = SHARD_TAIL.unpack(content)
        return bool(head == [SHARD_MAGIC, VERSION, number] and footer == self.shards["footer"][number].tobytes())

    def _located(self, entry: Entry, text: bytes) -> Located:
        if not entry.is_whole(text):
            self._refuse("an entry has changed since it was written")
        spans = self._form.spans(entry.rows, entry.begin + entry.data)
        end = max(span.end for span in spans.values())
        video_id = self._text(text)
        if entry.shard >= len(self.shards) or entry.begin % ALIGNMENT or end != entry.begin + entry.size:
            self._refuse(f"its entry of video {video_id!r} is none of {self._form.channels} channels")
        if end > self.shards["size"][entry.shard]:
            self._refuse(f"video {video_id!r} lies behind the end of its shard")
        name = self.names[entry.shard]
        checksum = entry.checksum.hex()
        return Located(video_id, name, entry.begin, entry.size, entry.rows, spans, entry.columns_crc, checksum)

    def _text(self, text: bytes) -> str:
        try:
            return text.decode()
        except UnicodeDecodeError:
            self._refuse("an id is no text")

    def _id(self, file: FileIO, entry: Entry) -> bytes:
        if entry.id_begin + entry.id_bytes > self._id_bytes:
            self._refuse("an id lies behind its end")
        return self._at(file, self._ids + entry.id_begin, entry.id_bytes)

    def _open(self) -> FileIO:
        try:
            return FileIO(self.path)
        except OSError as error:
            raise InputError(f"bank index {self.path}: cannot be opened ({error.strerror}); {REMEDY}.") from error

    def _at(self, file: FileIO, place: int, size: int) -> bytes:
        file.seek(place)
        content = file.read(size)
        if content is None or len(content) != size:
            self._refuse("it is shorter than its head says")
        return content

    def _refuse(self, why: str) -> NoReturn:
        raise InputError(f"bank index {self.path}: cannot be used ({why}); {REMEDY}.")
