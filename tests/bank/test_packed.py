"""A packed bank has the windows of the folder that it was made of, bit for bit, and becomes that folder again."""

import hashlib
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from lfb_lightning.bank import FeatureBank, WindowSpec
from lfb_lightning.bank.packed import packing
from lfb_lightning.bank.packed.packing import pack, unpack
from lfb_lightning.bank.rewriting import convert, merge
from lfb_lightning.bank.summary import summarize
from lfb_lightning.bank.verify import verify
from lfb_lightning.bank.window import window_generator
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe
from tests.bank.packed_banks import IDS, PRECISIONS, files, random_bank

SPECS = [
    WindowSpec.of_seconds(6, 2),
    WindowSpec.of_seconds(8, 2, selection="random"),
    WindowSpec(before=5, after=5, slots=20, per_tick=2, layout="packed"),
]
TINY = 0.004  # MB: some videos in each shard
IO = Path("/proc/self/io")


def bytes_read_by(act):
    """How many bytes this process reads from files meanwhile, as the system counts them."""
    counts = []
    for doing in (lambda: None, act):
        doing()
        counts.append(int(IO.read_text().split()[1]))
    return counts[1] - counts[0]


def same_windows(one, other):
    keyframes = [Keyframe(video_id, second) for video_id in [*IDS, "not there"] for second in range(896, 925, 3)]
    for spec in SPECS:
        generators = [[window_generator(1, 2, keyframe) for keyframe in keyframes] for _ in range(2)]
        here, there = (
            bank.windows(keyframes, spec, chosen) for bank, chosen in zip((one, other), generators, strict=True)
        )
        assert here.mask.any()
        assert torch.equal(here.mask, there.mask)
        assert torch.equal(here.features.view(torch.uint8), there.features.view(torch.uint8))
        assert (here.scales is None) == (there.scales is None)
        assert here.scales is None or torch.equal(here.scales, there.scales)
        assert np.array_equal(
            one.window_rows(keyframes, spec, generators[0]), other.window_rows(keyframes, spec, generators[1])
        )
    for video_id in IDS:
        at = Keyframe(video_id, 905)
        assert all(torch.equal(a, b) for a, b in zip(one.rows_at(at), other.rows_at(at), strict=True))


@pytest.mark.parametrize("precision", PRECISIONS)
def test_windows_and_files_are_those_of_the_folder(tmp_path, precision):
    bank = random_bank(tmp_path / "folder", precision=precision, failed={"gone": "no such video"})
    manifest = pack(bank, tmp_path / "packed", shard_mb=TINY)
    packed = FeatureBank.open(tmp_path / "packed")
    assert packed.manifest == manifest
    assert len(list((tmp_path / "packed").glob("*.shard"))) > 1
    same_windows(bank, packed)
    same_windows(bank, pickle.loads(pickle.dumps(packed)))
    assert packed.videos == bank.videos
    assert packed.keyframes() == bank.keyframes()
    assert summarize(packed) == summarize(bank)
    assert "ü" in packed
    assert "not there" not in packed
    assert [entry for entry in verify(packed) if entry.problem] == []
    unpack(packed, tmp_path / "again")
    assert files(tmp_path / "again") == files(tmp_path / "folder")


def test_the_same_bank_packs_to_the_same_bytes(tmp_path):
    bank = random_bank(tmp_path / "folder")
    for name in ("one", "two"):
        pack(bank, tmp_path / name, shard_mb=TINY)
    assert files(tmp_path / "one") == files(tmp_path / "two")
    before = files(tmp_path / "one")
    pack(bank, tmp_path / "one", shard_mb=TINY)
    assert files(tmp_path / "one") == before
    pack(bank, tmp_path / "one")
    assert len(list((tmp_path / "one").glob("*.shard"))) == 1  # the small ones are gone
    same_windows(bank, FeatureBank.open(tmp_path / "one"))


def test_the_layout_is_as_the_documentation_says(tmp_path):
    """docs/packed_banks.md, read without this package."""
    bank = random_bank(tmp_path / "folder", precision="int8")
    pack(bank, tmp_path / "packed", shard_mb=TINY)
    manifest = json.loads((tmp_path / "packed" / "manifest.json").read_text())
    assert manifest["format"] == 5
    index = (tmp_path / "packed" / f"index-{manifest['packed']['sha256'][:16]}.idx").read_bytes()
    assert (len(index), hashlib.sha256(index).hexdigest()) == (
        manifest["packed"]["size"],
        manifest["packed"]["sha256"],
    )
    assert index[:12] == b"LFBINDEX\1\0\0\0"
    shards, videos, id_bytes = (
        int.from_bytes(index[begin:end], "little") for begin, end in ((12, 16), (16, 24), (24, 32))
    )
    assert len(index) == 64 + 48 * shards + 80 * videos + id_bytes
    ids = index[64 + 48 * shards + 80 * videos :]
    found = {}
    for number in range(videos):
        entry = index[64 + 48 * shards + 80 * number :][:80]
        id_begin, begin, size = (int.from_bytes(entry[place : place + 8], "little") for place in (0, 8, 16))
        id_length, shard = (int.from_bytes(entry[place : place + 4], "little") for place in (24, 28))
        name = f"{shard:05d}-{index[64 + 48 * shard + 8 :][:8].hex()}.shard"
        found[ids[id_begin : id_begin + id_length].decode()] = (tmp_path / "packed" / name).read_bytes()[begin:][:size]
    assert list(found) == sorted(IDS, key=str.encode)
    original = {path.name: path.read_bytes() for path in (tmp_path / "folder").glob("*.safetensors")}
    assert sorted(found.values()) == sorted(original.values())


def test_what_was_interrupted_goes_on(tmp_path, monkeypatch):
    bank = random_bank(tmp_path / "folder")
    pack(bank, tmp_path / "whole", shard_mb=TINY)
    shards = sorted((tmp_path / "whole").glob("*.shard"))
    written = []

    def stops(file, bank, form, number, videos):
        if number == 1 and len(written) == 1:
            file.write(b"some of it")
            raise KeyboardInterrupt
        written.append(number)
        return real(file, bank, form, number, videos)

    real = packing.write_shard
    monkeypatch.setattr(packing, "write_shard", stops)
    with pytest.raises(KeyboardInterrupt):
        pack(bank, tmp_path / "packed", shard_mb=TINY)
    assert list(files(tmp_path / "packed")) == [shards[0].name]
    with pytest.raises(InputError, match="packed"):
        FeatureBank.open(tmp_path / "packed")
    written.append("a second time")
    (tmp_path / "packed" / shards[2].name).write_bytes(b"cut off")
    pack(bank, tmp_path / "packed", shard_mb=TINY)
    assert written == [0, "a second time", *range(1, len(shards))]  # the first shard is not written again
    assert files(tmp_path / "packed") == files(tmp_path / "whole")
    unpack(FeatureBank.open(tmp_path / "packed"), tmp_path / "again")
    (tmp_path / "again" / "manifest.json").unlink()
    (tmp_path / "again" / "v0.safetensors").unlink()
    kept = (tmp_path / "again" / "z.safetensors").stat().st_mtime_ns
    unpack(FeatureBank.open(tmp_path / "packed"), tmp_path / "again")
    assert files(tmp_path / "again") == files(tmp_path / "folder")
    assert (tmp_path / "again" / "z.safetensors").stat().st_mtime_ns == kept


def test_a_bank_is_packed_in_its_own_folder(tmp_path):
    pack(random_bank(tmp_path / "other"), tmp_path / "expected", shard_mb=TINY)
    bank = random_bank(tmp_path / "bank")
    pack(bank, tmp_path / "bank", shard_mb=TINY)
    assert files(tmp_path / "bank") == files(tmp_path / "expected")


def test_packed_banks_are_sources_of_other_banks(tmp_path):
    bank = random_bank(tmp_path / "folder", precision="fp32")
    pack(bank, tmp_path / "packed", shard_mb=TINY)
    packed = FeatureBank.open(tmp_path / "packed")
    convert(bank, tmp_path / "int8", "int8")
    convert(packed, tmp_path / "int8_too", "int8")
    assert files(tmp_path / "int8") == files(tmp_path / "int8_too")
    merge([packed, random_bank(tmp_path / "more", precision="fp32", ids=["another"])], tmp_path / "merged")
    assert len(FeatureBank.open(tmp_path / "merged").videos) == len(IDS) + 1


@pytest.mark.skipif(not IO.exists(), reason="needs Linux, which counts what a process reads")
def test_the_index_is_read_whole_once_for_all_videos_that_are_not_there(tmp_path):
    pack(random_bank(tmp_path / "folder", ids=[f"{number:04d}" for number in range(300)]), tmp_path / "packed")
    bank = FeatureBank.open(tmp_path / "packed")
    size = bank.manifest.packed.size
    counts = [bytes_read_by(lambda: "none" in bank) for _ in range(3)]
    assert counts[0] > size
    assert max(counts[1:]) < size / 4  # some entries, and what /proc itself says


@pytest.mark.parametrize("precision", PRECISIONS)
def test_the_persons_of_videos_are_read_without_their_features(tmp_path, precision):
    bank = random_bank(tmp_path / "folder", precision=precision, channels=4000)
    pack(bank, tmp_path / "packed", shard_mb=1)
    source = FeatureBank.open(tmp_path / "packed").source
    found = []
    read = bytes_read_by(lambda: found.extend(source.persons(IDS))) if IO.exists() else 0
    assert read < 4000 * bank.manifest.num_rows / 8
    for video_id, (timestamps, boxes, scores) in zip(IDS, found or source.persons(IDS), strict=True):
        stored = bank.read_video(video_id)
        assert np.array_equal(timestamps, stored.timestamps.numpy())
        assert np.array_equal(boxes, stored.boxes.numpy())
        assert np.array_equal(scores, stored.scores.numpy())


def test_an_empty_bank_is_packed(tmp_path):
    bank = random_bank(tmp_path / "folder", ids=[])
    pack(bank, tmp_path / "packed")
    packed = FeatureBank.open(tmp_path / "packed")
    assert not packed.window(Keyframe("v", 1), WindowSpec()).mask.any()
    assert list(verify(packed)) == []
    unpack(packed, tmp_path / "again")
    assert files(tmp_path / "again") == files(tmp_path / "folder")
