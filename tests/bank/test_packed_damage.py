"""Whatever is wrong with a packed bank's files is one line that names the file and the video, and never a wrong window."""

import hashlib
import json

import numpy as np
import pytest
import torch

from lfb_lightning.bank import BankWriter, FeatureBank, WindowSpec, finish_bank
from lfb_lightning.bank.packed.form import ENTRY, INDEX_HEAD, SHARD, Entry
from lfb_lightning.bank.packed.packing import pack, unpack
from lfb_lightning.bank.verify import verify
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe
from tests.bank.packed_banks import IDS, files, random_bank
from tests.bank.test_packed import TINY
from tests.bank.test_window import provenance


@pytest.fixture
def packed(tmp_path):
    pack(random_bank(tmp_path / "folder"), tmp_path / "packed", shard_mb=TINY)
    return tmp_path / "packed"


def problems(folder):
    """What verification says, all in one text."""
    try:
        return " ".join(
            f"{entry.video_id} {entry.problem}" for entry in verify(FeatureBank.open(folder)) if entry.problem
        )
    except InputError as error:
        return str(error)


def read(folder, video_id):
    """The times of a video's rows; None where that is refused."""
    try:
        return FeatureBank.open(folder).timestamps(video_id).tolist()
    except InputError:
        return None


def rewrite_index(folder, change):
    """Change the bytes of an index as somebody would who also changes the manifest."""
    manifest = json.loads((folder / "manifest.json").read_text())
    old = next(folder.glob("*.idx"))
    content = bytearray(old.read_bytes())
    change(content)
    sha256 = hashlib.sha256(content).hexdigest()
    old.unlink()
    (folder / f"index-{sha256[:16]}.idx").write_bytes(content)
    manifest["packed"] = {"sha256": sha256, "size": len(content)}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_changed_bit_is_found_wherever_it_is(packed):
    rng = np.random.default_rng(0)
    for path in [*sorted(packed.glob("*.shard"))[:2], next(packed.glob("*.idx"))]:
        content = path.read_bytes()
        for place in [0, 9, 70, len(content) - 1, len(content) - 70, *rng.integers(0, len(content), 12).tolist()]:
            spoilt = bytearray(content)
            spoilt[place] ^= 1
            path.write_bytes(spoilt)
            assert problems(packed), (path, place)
        path.write_bytes(content)
    assert not [entry for entry in verify(FeatureBank.open(packed)) if entry.problem]


def test_no_changed_bit_of_the_index_is_a_wrong_answer(packed):
    path = next(packed.glob("*.idx"))
    content = path.read_bytes()
    expected = {name: FeatureBank.open(packed).timestamps(name).tolist() for name in [*IDS, "not there"]}
    for place in np.random.default_rng(1).integers(0, len(content), 60).tolist():
        spoilt = bytearray(content)
        spoilt[place] ^= 1 << (place % 8)
        path.write_bytes(spoilt)
        for name, ticks in expected.items():
            assert read(packed, name) in (ticks, None)


def test_shards_that_go_away_shrink_or_change_are_named(packed):
    bank = FeatureBank.open(packed)
    at = Keyframe("z", 910)
    assert bank.window(at, WindowSpec()).mask.any()
    path = packed / bank.source.index.find("z").shard
    content = path.read_bytes()
    path.write_bytes(content[:200])
    with pytest.raises(InputError, match=r"\.shard: is 200 bytes long, expected video z at"):
        bank.window(at, WindowSpec())
    path.unlink()
    with pytest.raises(InputError, match=r"\.shard: cannot be opened .* video z is in it; run lfb-bank verify"):
        bank.window(at, WindowSpec())
    place = bank.source.index.find("z")
    spoilt = bytearray(content)
    spoilt[place.spans["timestamps"].begin] ^= 1
    path.write_bytes(spoilt)
    with pytest.raises(InputError, match="the times and scores of video z have changed"):
        FeatureBank.open(packed).window(at, WindowSpec())
    spoilt = bytearray(content)
    spoilt[place.spans["features"].begin] ^= 1
    path.write_bytes(spoilt)
    with pytest.raises(InputError, match="video z has changed since it was written"):
        bank.read_video("z")
    with pytest.raises(InputError, match="video z has changed since it was packed"):
        unpack(bank, packed.parent / "again")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": 1 << 31}, "is none of 6 channels"),
        ({"shard": 99}, "is none of 6 channels"),
        ({"begin": 1 << 62}, "lies behind the end of its shard"),
        ({"id_bytes": 1 << 31}, "an id lies behind its end"),
    ],
)
def test_an_index_that_claims_too_much_takes_no_memory(packed, change, said):
    def claim(content):
        _, _, shards, videos, _, _ = INDEX_HEAD.unpack(content[: INDEX_HEAD.size])
        begin = INDEX_HEAD.size + shards * SHARD.itemsize
        for place in range(begin, begin + videos * ENTRY.itemsize, ENTRY.itemsize):
            entry = Entry.unpack(bytes(content[place : place + ENTRY.itemsize]))
            ids = bytes(content[begin + videos * ENTRY.itemsize :])
            text = ids[entry.id_begin : entry.id_begin + entry.id_bytes]
            content[place : place + ENTRY.itemsize] = entry._replace(**change).pack(text)

    rewrite_index(packed, claim)
    with pytest.raises(InputError, match=said):
        FeatureBank.open(packed).timestamps("v0")


def test_a_shard_of_another_bank_under_this_ones_name_is_refused(tmp_path):
    folders = [tmp_path / name for name in ("one", "other")]
    for folder in folders:  # the same times, boxes and scores, as two checkpoints make them
        made, rows = provenance(precision="fp16", channels=6), 20
        writer = BankWriter(folder, made)
        writer.write(
            "v",
            timestamps=torch.arange(900, 920),
            boxes=torch.zeros(rows, 4).double(),
            scores=torch.ones(rows).double(),
            features=torch.full((rows, 6), 1.0 if folder.name == "one" else 2.0),
        )
        finish_bank(folder, made, ["v"])
        pack(FeatureBank.open(folder), folder / "packed")
    mine, theirs = (next((folder / "packed").glob("*.shard")) for folder in folders)
    mine.write_bytes(theirs.read_bytes())
    bank = FeatureBank.open(folders[0] / "packed")
    for _ in range(2):
        with pytest.raises(InputError, match=r"\.shard: is not the one that the index was written with; run lfb-bank"):
            bank.window(Keyframe("v", 910), WindowSpec())


def index_of(ids):
    """Change an index into one of the same entries with other ids, as somebody would who also computes the checksums."""

    def change(content):
        _, _, shards, videos, _, _ = INDEX_HEAD.unpack(content[: INDEX_HEAD.size])
        begin = INDEX_HEAD.size + shards * SHARD.itemsize
        for number, text in enumerate(ids):
            place = begin + number * ENTRY.itemsize
            entry = Entry.unpack(bytes(content[place : place + ENTRY.itemsize]))
            content[place : place + ENTRY.itemsize] = entry.pack(text)
        content[begin + videos * ENTRY.itemsize :] = b"".join(ids)

    return change


def test_ids_that_are_no_text_or_do_not_ascend_are_refused(tmp_path):
    for ids, said in (([b"a", b"\xff"], "an id is no text"), ([b"b", b"a"], "do not ascend"), ([b"a", b"a"], "ascend")):
        folder = tmp_path / ids[0].decode() / ids[1].hex()
        pack(random_bank(folder / "bank", ids=["a", "b"]), folder / "packed")
        rewrite_index(folder / "packed", index_of(ids))
        with pytest.raises(InputError, match=rf"index-.*\.idx: cannot be used \(.*{said}"):
            _ = FeatureBank.open(folder / "packed").videos
        assert said in problems(folder / "packed")


def test_a_head_that_claims_more_shards_is_refused(packed):
    rewrite_index(packed, lambda content: content.__setitem__(slice(12, 16), b"\xff\xff\xff\x7f"))
    with pytest.raises(InputError, match=r"index-.*\.idx: cannot be used \(\d+ bytes, its head says"):
        FeatureBank.open(packed)


def test_what_is_not_to_be_packed_or_written_over_is_refused(packed, tmp_path):
    bank = FeatureBank.open(tmp_path / "folder")
    with pytest.raises(InputError, match="is packed already"):
        pack(FeatureBank.open(packed), tmp_path / "twice")
    with pytest.raises(InputError, match="is not packed, expected a bank that lfb-bank pack"):
        unpack(bank, tmp_path / "x")
    with pytest.raises(InputError, match="shard_mb is 0, expected"):
        pack(bank, tmp_path / "x", shard_mb=0)
    with pytest.raises(InputError, match="is packed, and what is packed is not changed"):
        BankWriter(packed, provenance(precision="fp16", channels=6))
    with pytest.raises(InputError, match="is another bank"):
        pack(random_bank(tmp_path / "int8", precision="int8"), packed)
    with pytest.raises(InputError, match="is another bank"):
        pack(bank, tmp_path / "int8")
    with pytest.raises(InputError, match="holds 6 other videos"):
        pack(random_bank(tmp_path / "others", ids=["other"]), packed)
    before = files(packed)
    (tmp_path / "folder" / "z.safetensors").write_bytes((tmp_path / "folder" / "v0.safetensors").read_bytes())
    with pytest.raises(InputError, match=r"z\.safetensors: is not the one that the manifest was written with"):
        pack(bank, tmp_path / "x")
    assert files(packed) == before
    (packed / "stray.safetensors").write_bytes(b"")
    assert {entry.video_id for entry in verify(FeatureBank.open(packed)) if entry.problem} == {"stray.safetensors"}
