"""The readers of packed banks, with a right one and what it says; its index is spoilt with and without its checksums."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from lfb_lightning.bank import FeatureBank
from lfb_lightning.bank.packed.form import ENTRY, INDEX_HEAD, SHARD, Entry
from lfb_lightning.bank.packed.packing import pack, unpack
from tests.bank.test_window import write_bank
from tests.fuzzing import forms
from tests.fuzzing.cases import Files, Reader, Seed, made, plain, seed
from tests.fuzzing.mutators import Form, any_bytes
from tests.fuzzing.stored_readers import BANK_ROWS, BANK_SAYS, BANK_WAYS


def _parts(content: bytes) -> list[Any]:
    """Head, table of shards, entries with their ids."""
    head = [*INDEX_HEAD.unpack(content[: INDEX_HEAD.size])]
    first = INDEX_HEAD.size + head[2] * SHARD.itemsize
    ids = first + head[3] * ENTRY.itemsize
    entries = [Entry.unpack(content[place : place + ENTRY.itemsize]) for place in range(first, ids, ENTRY.itemsize)]
    return [head, content[INDEX_HEAD.size : first], [[*entry] for entry in entries], content[ids:]]


def _index(parts: list[Any]) -> bytes:
    """Whoever writes such an index computes the checksums of its entries, too."""
    head, shards, entries, ids = parts
    packed = [
        entry.pack(ids[entry.id_begin : entry.id_begin + entry.id_bytes]) for entry in (Entry(*one) for one in entries)
    ]
    return INDEX_HEAD.pack(*head) + shards + b"".join(packed) + ids


INDEX = Form(_parts, _index)


def _named(end: str, files: Files) -> str:
    return next(name for name in sorted(files) if name.endswith(end))


def _other_index(files: Files, chance: Random) -> Files:
    """Another index, which the manifest mostly knows of."""
    name = _named(".idx", files)
    content, manifest = INDEX.spoilt(files[name], chance), json.loads(files["manifest.json"])
    if chance.random() < 0.9:
        sha256 = hashlib.sha256(content).hexdigest()
        manifest["packed"] = {"sha256": sha256, "size": len(content)}
        files = {key: value for key, value in files.items() if key != name}
        name = f"index-{sha256[:16]}.idx"
    return files | {name: content, "manifest.json": json.dumps(manifest).encode()}


def _other_shard(files: Files, chance: Random) -> Files:
    name = _named(".shard", files)
    return files | {name: any_bytes(files[name], chance)}


def _unpacked(folder: Path) -> Any:
    return unpack(FeatureBank.open(folder), folder / "out").num_rows


def _packed() -> Seed:
    def write(folder: Path) -> None:
        pack(write_bank(folder, BANK_ROWS)[0], folder)

    ways = [*BANK_SAYS[: len(BANK_WAYS) - 1], 4]  # without what goes on with an extraction
    return seed(made(write), plain(ways), ("manifest.json", forms.JSON))


def _spoilt(*spoiling: Any) -> list[Seed]:
    return [replace(_packed(), spoiling=spoiling, equal=())]


_WAYS = [*BANK_WAYS[:-1], _unpacked]
PACKED = [
    Reader("packed bank's manifest", _WAYS, lambda: [_packed()]),
    Reader("packed bank's index", _WAYS, partial(_spoilt, _other_index)),
    Reader("packed bank's shard", _WAYS, partial(_spoilt, _other_shard)),
]
