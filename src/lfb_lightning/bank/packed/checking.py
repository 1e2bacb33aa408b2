"""Checks the shards of a packed bank against its index: everything but the videos in them, which `verify` reads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from lfb_lightning.bank.layout import MANIFEST, SUFFIX
from lfb_lightning.bank.packed.form import ENTRY, SHARD_HEAD, SHARD_MAGIC, SHARD_TAIL, VERSION, aligned
from lfb_lightning.bank.packed.index import IndexFile, Located
from lfb_lightning.bank.packed.store import ByteRange, Store
from lfb_lightning.errors import InputError

INDEX_PATTERN, SHARD_SUFFIX = "index-", ".shard"


def check_shards(store: Store, index: IndexFile) -> Iterator[tuple[str, str]]:
    """Name the shards that are not as the index says.

    Args:
        store: Where the shards are.
        index: Of the bank.

    Yields:
        A shard's name and what is wrong with it.
    """
    sizes = store.names()
    held = {shard: list(videos) for shard, videos in groupby(index.all(), key=lambda video: video.shard)}
    for number, name in enumerate(index.names):
        size = int(index.shards["size"][number])
        if name not in sizes:
            yield name, "it is missing"
        elif sizes[name] != size:
            yield name, f"it is {sizes[name]} bytes long, the index says {size}"
        elif (problem := _problem(store, name, number, size, index, held.get(name, []))) is not None:
            yield name, problem


def check_others(store: Store, index: IndexFile) -> Iterator[tuple[str, str]]:
    """Name the files that belong to no bank or to another one, as `check_shards` does with shards."""
    sizes = store.names()
    known = {MANIFEST, index.path.name, *index.names}
    for name in sorted(sizes.keys() - known):
        if name.endswith((SUFFIX, SHARD_SUFFIX)) or name.startswith(INDEX_PATTERN):
            yield name, "it is not in the manifest; delete it"


def _problem(
    store: Store, name: str, number: int, size: int, index: IndexFile, videos: Sequence[Located]
) -> str | None:
    ids = sum(len(video.video_id.encode()) for video in videos)
    footer = len(videos) * ENTRY.itemsize + ids
    end = aligned(videos[-1].begin + videos[-1].size) if videos else SHARD_HEAD.size
    if end + footer + SHARD_TAIL.size != size:
        return "its footer is not as long as the index says"
    places = [SHARD_HEAD.size, *(video.begin + video.size for video in videos)]
    gaps = [
        ByteRange(name, place, following.begin, following.video_id)
        for place, following in zip(places, videos, strict=False)
    ]
    gaps.append(ByteRange(name, places[-1], end, videos[-1].video_id if videos else ""))
    ends = [ByteRange(name, 0, SHARD_HEAD.size, "its head"), ByteRange(name, end, size, "its footer")]
    try:
        head, tail, *between = store.read([*ends, *(gap for gap in gaps if gap.begin < gap.end)])
    except InputError as error:
        return str(error)
    digest = hashlib.sha256(tail[:footer].tobytes()).digest()
    if head.tobytes() != SHARD_HEAD.pack(SHARD_MAGIC, VERSION, number):
        return "its head has changed since it was written"
    expected = SHARD_TAIL.pack(SHARD_MAGIC, VERSION, number, len(videos), ids, digest)
    if tail[footer:].tobytes() != expected or digest != index.shards["footer"][number].tobytes():
        return "its footer has changed since it was written"
    if any(np.any(gap) for gap in between):
        return "there is something between its videos"
    return None
