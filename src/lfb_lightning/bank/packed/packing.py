"""Packs a bank into few files, and takes a packed one apart again.

Both go on where they were interrupted: packing with the first unfinished shard, taking apart with the first missing file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from lfb_lightning.bank.layout import MANIFEST, file_name, read_header
from lfb_lightning.bank.manifest import Manifest
from lfb_lightning.bank.packed.form import (
    ENTRY,
    SHARD_HEAD,
    SHARD_TAIL,
    VERSION,
    PackedIndex,
    VideoForm,
    aligned,
    index_name,
    shard_name,
)
from lfb_lightning.bank.packed.store import REMEDY
from lfb_lightning.bank.packed.targets import FolderTarget, Target, is_same, target_of
from lfb_lightning.bank.packed.videos import PackedVideos
from lfb_lightning.bank.packed.writing import join_footers, write_shard
from lfb_lightning.bank.reader import FeatureBank
from lfb_lightning.bank.rewriting import Tracker, refuse_other_videos
from lfb_lightning.bank.stored_video import parse_video
from lfb_lightning.bank.video_table import write_videos
from lfb_lightning.bank.writer import BankWriter
from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import write_durably
from lfb_lightning.files.objects.url import Url

LEAST_MB, MOST_MB = 0.001, 16_384.0
_MB = 1_000_000


class Planned(NamedTuple):
    """A shard that is to be written: its videos with the bytes of each one's file, and what stands for all that is in it."""

    number: int
    digest: bytes
    videos: list[tuple[str, int]]

    @property
    def name(self) -> str:
        """The name of its file, which says what is in it: a shard of that name need not be written again."""
        return shard_name(self.number, self.digest)


def pack(bank: FeatureBank, to: Path | Url, *, shard_mb: int | float = 512, track: Tracker = iter) -> Manifest:
    """Write a bank as a packed one. The same bank makes the same bytes.

    Args:
        bank: A bank of one file per video.
        to: The folder of the packed one, or its URL. The bank's own folder: its files are removed when all is written, and
            where that was interrupted, or another process has packed it meanwhile, what is left of them.
        shard_mb: Bytes of a shard in millions, at most; a video is never divided.
        track: Shows progress over the video ids.

    Raises:
        InputError: The bank is packed already or a file of it is damaged, another bank is there, or it cannot be written.
    """
    is_own = is_same(to, bank.folder)
    if bank.manifest.packed is not None and not is_own:
        raise InputError(
            f"bank {bank.folder}: is packed already; give a bank of one file per video, or unpack it first."
        )
    if not LEAST_MB <= shard_mb <= MOST_MB:
        raise InputError(f"shard_mb is {shard_mb}, expected {LEAST_MB} to {MOST_MB:.0f}.")
    target = target_of(to)
    with target.locked():
        if is_own:
            bank = FeatureBank.open(bank.folder)  # as it is now that nobody else is at it
        return _end(bank, target) if bank.manifest.packed is not None else _pack(bank, target, shard_mb, track)


def _pack(bank: FeatureBank, target: Target, shard_mb: int | float, track: Tracker) -> Manifest:
    target.prepare(bank)
    plan = list(_plan(bank, int(shard_mb * _MB)))
    content = _write_shards(bank, target, plan, track)
    packed = PackedIndex(hashlib.sha256(content).hexdigest(), len(content))
    target.write(index_name(packed.sha256), content)
    manifest = replace(bank.manifest, packed=packed)
    target.write(MANIFEST, manifest.content())
    target.remove_others({shard.name for shard in plan} | {index_name(packed.sha256)}, bank.videos)
    return manifest


def _end(bank: FeatureBank, target: Target) -> Manifest:
    """Remove what is left of the bank that a packed one was made of, in whose folder it lies; first look at the shards."""
    source = bank.source
    assert isinstance(source, PackedVideos)
    assert isinstance(target, FolderTarget)
    kept = {*source.index.names, source.index.path.name}
    if target.others(kept, bank.videos):
        for name, problem in source.damaged_shards():
            raise InputError(f"bank shard {bank.folder / name}: {problem}; {REMEDY}.")
        target.remove_others(kept, bank.videos)
    return bank.manifest


def unpack(bank: FeatureBank, to: Path, *, track: Tracker = iter) -> Manifest:
    """Write a packed bank as one of a file per video, byte for byte what it was before it was packed.

    Args:
        bank: The packed bank.
        to: The folder of the other one.
        track: Shows progress over the video ids.

    Raises:
        InputError: The bank is not packed or is damaged, or the folder holds another bank.
    """
    if bank.manifest.packed is None:
        raise InputError(f"bank {bank.folder}: is not packed, expected a bank that lfb-bank pack has written.")
    table = bank.videos
    refuse_other_videos(to, table.keys() | bank.manifest.failed.keys())
    writer = BankWriter(to, bank.manifest.provenance)
    for video_id in track(sorted(table)):
        if (
            not writer.is_finished(video_id)
            or read_header(writer.path(video_id))[0].checksum != table[video_id].checksum
        ):
            content = bank.source.content(video_id)
            metadata, _, found = parse_video(content, where=f"bank {bank.folder}, video {video_id}")
            if not (metadata.video_id, found) == (video_id, table[video_id].checksum):
                raise InputError(f"bank {bank.folder}: video {video_id} has changed since it was packed; {REMEDY}.")
            write_durably(writer.path(video_id), content)
    checksum = write_videos(to, table)
    if checksum != bank.manifest.videos_checksum:
        raise InputError(
            f"bank {bank.folder}: its videos are not those that its manifest speaks of; run lfb-bank verify."
        )
    manifest = replace(bank.manifest, packed=None)
    manifest.write(to)
    return manifest


def _plan(bank: FeatureBank, shard_bytes: int) -> Iterator[Planned]:
    """Deal the videos, by their ids, to shards; a shard's name stands for what is in it."""
    number, videos, end, footer = 0, list[tuple[str, int]](), SHARD_HEAD.size, SHARD_TAIL.size
    for video_id in sorted(bank.videos):
        path = Path(str(bank.folder)) / file_name(video_id)
        try:
            size = path.stat().st_size
        except OSError as error:
            raise InputError(f"bank file {path}: cannot be read ({error.strerror}); run lfb-bank verify.") from error
        listed = ENTRY.itemsize + len(video_id.encode())
        if videos and aligned(end + size) + footer + listed > shard_bytes:
            yield _planned(bank, number, videos)
            number, videos, end, footer = number + 1, [], SHARD_HEAD.size, SHARD_TAIL.size
        videos.append((video_id, size))
        end, footer = aligned(end + size), footer + listed
    if videos:
        yield _planned(bank, number, videos)


def _planned(bank: FeatureBank, number: int, videos: list[tuple[str, int]]) -> Planned:
    digest = hashlib.sha256(f"{VERSION} {number} {bank.manifest.provenance.digest}".encode())
    for video_id, size in videos:
        digest.update(f"\n{size} {bank.videos[video_id].checksum} {video_id}".encode())
    return Planned(number, digest.digest()[:8], videos)


def _write_shards(bank: FeatureBank, target: Target, plan: Sequence[Planned], track: Tracker) -> bytes:
    """Write the shards that are not there yet, and return the index of all."""
    made = bank.manifest.provenance
    form = VideoForm(made.channels, made.precision)
    remaining = iter(track([video_id for shard in plan for video_id, _ in shard.videos]))
    shards, entries, ids = [], [], []
    for shard in plan:
        videos = [(next(remaining), size) for _, size in shard.videos]
        found = target.footer(shard.name, shard.number)
        if found is None:
            with target.writing(shard.name) as file:
                found = write_shard(file, bank, form, shard.number, videos)
        shards.append((found.size, shard.digest, hashlib.sha256(found.entries + found.ids).digest()))
        entries.append(found.entries)
        ids.append(found.ids)
    for _ in remaining:  # none: it ends the bar
        raise AssertionError
    return join_footers(shards, entries, ids)
