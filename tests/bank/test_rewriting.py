"""Banks made of banks hold the same rows: converted, merged, split, there and back."""

import pytest
import torch

from lfb_lightning.bank import FeatureBank
from lfb_lightning.bank.layout import file_name
from lfb_lightning.bank.rewriting import convert, deal_videos, merge, pick
from lfb_lightning.errors import InputError
from tests.bank.test_window import write_bank

VIDEOS = {f"v{number}": [(900 + second, 0.5) for second in range(number + 1)] for number in range(6)}


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("precision", ["fp16", "bf16", "int8"])
def test_conversion_from_fp32_is_what_extraction_would_have_written(tmp_path, precision):
    source, _ = write_bank(tmp_path / "fp32", VIDEOS)
    write_bank(tmp_path / "direct", VIDEOS, precision=precision)
    convert(source, tmp_path / "converted", precision)
    assert content(tmp_path / "converted") == content(tmp_path / "direct")


def test_conversion_of_a_lossy_bank_says_so(tmp_path):
    source, _ = write_bank(tmp_path / "int8", VIDEOS, precision="int8")
    manifest = convert(source, tmp_path / "fp32", "fp32")
    assert manifest.provenance.origin == "extracted, then converted from int8"
    video = FeatureBank.open(tmp_path / "fp32").read_video("v3")
    assert torch.equal(video.decoded, source.read_video("v3").decoded)


def test_interrupted_conversion_goes_on(tmp_path):
    source, _ = write_bank(tmp_path / "fp32", VIDEOS)

    def interrupted(video_ids):
        yield from video_ids[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(source, tmp_path / "fp16", "fp16", track=interrupted)
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "fp16").iterdir()}
    assert len(before) == 2
    convert(source, tmp_path / "fp16", "fp16")
    assert {name: (tmp_path / "fp16" / name).stat().st_mtime_ns for name in before} == before


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_parts_merge_back_to_the_same_bytes(tmp_path, precision):
    source, _ = write_bank(tmp_path / "whole", VIDEOS, precision=precision)
    parts = deal_videos(source, 3)
    assert sorted(name for part in parts for name in part) == sorted(VIDEOS)
    assert [sum(len(VIDEOS[name]) for name in part) for part in parts] == [7, 7, 7]
    for number, part in enumerate(parts):
        pick(source, tmp_path / str(number), part)
    merge([FeatureBank.open(tmp_path / str(number)) for number in range(3)], tmp_path / "again")
    assert content(tmp_path / "again") == content(tmp_path / "whole")


def test_splits_merge_under_a_new_name_and_only_under_one(tmp_path):
    train, _ = write_bank(tmp_path / "train", {"a": [(900, 1.0)]}, split="train")
    val, _ = write_bank(tmp_path / "val", {"b": [(900, 1.0)]}, split="val")
    with pytest.raises(InputError, match="split: 'train' there, 'val' here"):
        merge([train, val], tmp_path / "both")
    manifest = merge([train, val], tmp_path / "both", split="trainval")
    assert manifest.provenance.split == "trainval"
    assert sorted(FeatureBank.open(tmp_path / "both").videos) == ["a", "b"]


def test_banks_that_contradict_each_other_do_not_merge(tmp_path):
    one, _ = write_bank(tmp_path / "one", {"v": [(900, 1.0)]})
    two, _ = write_bank(tmp_path / "two", {"v": [(901, 1.0)]})
    with pytest.raises(InputError, match=r"video v: .* hold different features"):
        merge([one, two], tmp_path / "both")


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda bank, to: convert(bank, to, "fp32"), "in fp32 already"),
        (lambda bank, to: convert(bank, to, "fp8"), "expected one of"),
        (lambda bank, to: pick(bank, to, ["v1", "zz"]), "has no video 'zz'"),
        (lambda bank, to: deal_videos(bank, 0), "expected 1 to 6"),
        (lambda bank, to: deal_videos(bank, 7), "expected 1 to 6"),
    ],
)
def test_impossible_wishes_are_named(tmp_path, act, said):
    bank, _ = write_bank(tmp_path / "bank", VIDEOS)
    with pytest.raises(InputError, match=said):
        act(bank, tmp_path / "to")


def test_a_source_whose_bytes_have_changed_is_not_copied(tmp_path):
    source, _ = write_bank(tmp_path / "fp32", VIDEOS)
    path = tmp_path / "fp32" / file_name("v3")
    spoilt = bytearray(path.read_bytes())
    spoilt[-20] ^= 1
    path.write_bytes(spoilt)
    for name, make in (
        ("pick", lambda to: pick(source, to, ["v3"])),
        ("convert", lambda to: convert(source, to, "fp16")),
    ):
        with pytest.raises(InputError, match=r"v3\.safetensors: its content has changed"):
            make(tmp_path / name)


def test_a_bank_is_not_replaced_by_a_part_of_itself_or_of_another(tmp_path):
    source, _ = write_bank(tmp_path / "whole", VIDEOS)
    before = content(tmp_path / "whole")
    with pytest.raises(InputError, match="holds 4 other videos, such as v2; choose another folder"):
        pick(source, tmp_path / "whole", ["v0", "v1"])
    assert content(tmp_path / "whole") == before
    pick(source, tmp_path / "part", ["v0", "v1"])
    pick(source, tmp_path / "part", ["v0", "v1"])
    with pytest.raises(InputError, match="holds 2 other videos"):
        pick(source, tmp_path / "part", ["v2"])
