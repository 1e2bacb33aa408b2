"""Writes a shard, and puts the footers of shards together as an index."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple
from zlib import crc32

import numpy as np

from lfb_lightning.bank.layout import file_name, parse_header
from lfb_lightning.bank.packed.form import (
    ENTRY,
    INDEX_HEAD,
    INDEX_MAGIC,
    SHARD,
    SHARD_HEAD,
    SHARD_MAGIC,
    SHARD_TAIL,
    VERSION,
    Entry,
    VideoForm,
    aligned,
)
from lfb_lightning.bank.reader import FeatureBank
from lfb_lightning.bank.stored_video import parse_video
from lfb_lightning.bank.video_table import VideoEntry
from lfb_lightning.errors import InputError


def write_shard(
    file: BinaryIO, bank: FeatureBank, form: VideoForm, number: int, videos: Iterable[tuple[str, int]]
) -> Footer:
    """Write a shard.

    Args:
        file: Open for writing, empty.
        bank: The bank that is packed.
        form: What is the same of all its videos.
        number: The shard's.
        videos: The ids of its videos, ascending, and the bytes of their files.

    Returns:
        What `read_footer` reads of it.

    Raises:
        InputError: A file is damaged, or is not the one that the bank's manifest was written with.
    """
    file.write(SHARD_HEAD.pack(SHARD_MAGIC, VERSION, number))
    place, footer, ids = SHARD_HEAD.size, bytearray(), bytearray()
    for video_id, size in videos:
        content = bank.source.content(video_id)
        entry, text = _entry(bank, form, video_id, content, size), video_id.encode()
        entry = entry._replace(id_begin=len(ids), begin=place, shard=number)
        footer += entry.pack(text)
        ids += text
        file.write(content)
        file.write(bytes(aligned(place + size) - place - size))
        place = aligned(place + size)
    digest = hashlib.sha256(footer + ids).digest()
    file.write(footer + ids)
    file.write(SHARD_TAIL.pack(SHARD_MAGIC, VERSION, number, len(footer) // ENTRY.itemsize, len(ids), digest))
    return Footer(place + len(footer) + len(ids) + SHARD_TAIL.size, bytes(footer), bytes(ids))


class Footer(NamedTuple):
    """What the index of a bank says of a whole shard.

    Args:
        size: The shard's bytes.
        entries: Of its videos.
        ids: The text of their ids.
    """

    size: int
    entries: bytes
    ids: bytes


def read_footer(path: Path, number: int) -> Footer | None:
    """Read the footer of a shard's file; None where there is no whole one.

    A shard's name says what is in it, and it was renamed to that when it was whole.
    """
    if not path.is_file():
        return None
    with path.open("rb") as file:

        def read(begin: int, end: int) -> bytes:
            file.seek(begin)
            return file.read(end - begin)

        return parse_footer(read, file.seek(0, 2), number)


def parse_footer(read: Callable[[int, int], bytes], size: int, number: int) -> Footer | None:
    """Read the footer of a shard of `size` bytes, of which `read` gives those from one place to another."""
    end = size - SHARD_TAIL.size
    if end < SHARD_HEAD.size:
        return None
    tail = read(end, size)
    *_, videos, id_bytes, _ = SHARD_TAIL.unpack(tail)
    middle = end - id_bytes
    begin = middle - videos * ENTRY.itemsize
    if begin < SHARD_HEAD.size:
        return None
    content = read(begin, end)
    footer, ids = content[: middle - begin], content[middle - begin :]
    whole = SHARD_TAIL.pack(SHARD_MAGIC, VERSION, number, videos, id_bytes, hashlib.sha256(footer + ids).digest())
    return Footer(size, footer, ids) if tail == whole else None


def join_footers(shards: Sequence[tuple[int, bytes, bytes]], footers: Sequence[bytes], ids: Sequence[bytes]) -> bytes:
    """Put footers together as an index: the same entries, but that ids are counted through all of them.

    Args:
        shards: Of each shard its bytes, the digest in its name, and the SHA-256 of its footer.
        footers: The entries of each.
        ids: The text of the ids of each.
    """
    table = np.zeros(len(shards), dtype=SHARD)
    for row, (size, digest, footer) in zip(table, shards, strict=True):
        row["size"], row["digest"], row["footer"] = size, np.frombuffer(digest, "u1"), np.frombuffer(footer, "u1")
    text, entries, before = b"".join(ids), bytearray(), 0
    for footer, part in zip(footers, ids, strict=True):
        for place in range(0, len(footer), ENTRY.itemsize):
            entry = Entry.unpack(footer[place : place + ENTRY.itemsize])
            entry = entry._replace(id_begin=entry.id_begin + before)
            entries += entry.pack(text[entry.id_begin : entry.id_begin + entry.id_bytes])
        before += len(part)
    videos = len(entries) // ENTRY.itemsize
    head = INDEX_HEAD.pack(INDEX_MAGIC, VERSION, len(shards), videos, len(text), crc32(table.tobytes()))
    return head + table.tobytes() + bytes(entries) + text


def _entry(bank: FeatureBank, form: VideoForm, video_id: str, content: bytes, size: int) -> Entry:
    """Check a video's file, and describe it; where it lies is not known yet."""
    path = bank.folder / file_name(video_id)
    metadata, _, found = parse_video(content, where=f"bank {bank.folder}, video {video_id}")
    _, spans = parse_header(content)
    expected = VideoEntry(metadata.rows, found)
    if (
        expected != bank.videos[video_id]
        or metadata.provenance != bank.manifest.provenance.digest
        or size != len(content)
    ):
        raise InputError(f"bank file {path}: is not the one that the manifest was written with; run lfb-bank verify.")
    data = min(span.begin for span in spans.values())
    if form.spans(metadata.rows, data) != spans:
        raise InputError(
            f"bank file {path}: its tensors lie in another order than this package writes them; write the bank anew with "
            f"`lfb-bank merge folders=[{bank.folder}] to=<new folder>`, and pack that."
        )
    columns = memoryview(content)[slice(*form.columns(spans))]
    length = len(video_id.encode())
    return Entry(0, 0, size, length, 0, metadata.rows, data, crc32(columns), 0, bytes.fromhex(found))
