"""Verification finds every kind of damage, and only damage."""

import json

import pytest
import torch
from safetensors.torch import save

from lfb_lightning.bank import BankWriter, FeatureBank, finish_bank
from lfb_lightning.bank.layout import VideoMetadata, file_name
from lfb_lightning.bank.stored_video import StoredVideo, checksum
from lfb_lightning.bank.verify import verify
from tests.bank.test_window import provenance, write_bank

ROWS = [(902, 0.5), (903, 0.9), (903, 0.8)]


def problems(folder):
    return {entry.video_id: entry.problem for entry in verify(FeatureBank.open(folder)) if entry.problem is not None}


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16", "int8"])
def test_a_good_bank_has_no_problem(tmp_path, precision):
    write_bank(tmp_path, {"v": ROWS, "w/x": ROWS[:1], "empty": []}, precision=precision)
    verdicts = list(verify(FeatureBank.open(tmp_path)))
    assert [(entry.video_id, entry.rows, entry.problem) for entry in verdicts] == [
        ("empty", 0, None),
        ("v", 3, None),
        ("w/x", 1, None),
    ]


@pytest.mark.parametrize("place", [-1, -20, -60, -150])
def test_a_single_changed_bit_is_found_wherever_it_is(tmp_path, place):
    write_bank(tmp_path, {"v": ROWS, "w": ROWS})
    path = tmp_path / file_name("v")
    spoilt = bytearray(path.read_bytes())
    spoilt[place] ^= 1
    path.write_bytes(spoilt)
    assert list(problems(tmp_path)) == ["v"]
    assert "checksum" in problems(tmp_path)["v"]


def test_a_file_of_the_same_video_from_another_run_is_found(tmp_path):
    write_bank(tmp_path / "one", {"v": ROWS})
    write_bank(tmp_path / "two", {"v": ROWS[:2]}, checkpoint_digest="other")
    (tmp_path / "two" / file_name("v")).replace(tmp_path / "one" / file_name("v"))
    said = problems(tmp_path / "one")["v"]
    assert "another checkpoint" in said
    assert "another file" in said
    assert "2 rows, its header says 2, the manifest 3" in said


def test_missing_cut_off_exchanged_and_unknown_files_are_found(tmp_path):
    write_bank(tmp_path, {name: [(900 + number, 1.0)] for number, name in enumerate("abcd")})
    (tmp_path / file_name("a")).unlink()
    (tmp_path / file_name("b")).write_bytes((tmp_path / file_name("b")).read_bytes()[:-3])
    (tmp_path / file_name("d")).write_bytes((tmp_path / file_name("c")).read_bytes())
    (tmp_path / file_name("e")).write_bytes((tmp_path / file_name("c")).read_bytes())
    found = problems(tmp_path)
    assert sorted(found) == ["a", "b", "d", "e"]
    assert "not a whole bank file" in found["b"]
    assert "the file is of video 'c'" in found["d"]
    assert "not in the manifest" in found["e"]


def write_as_is(folder, video):
    """A file that is consistent in itself and with its manifest, whatever it holds."""
    made = provenance()
    BankWriter(folder, made)
    tensors = video.to_tensors()
    metadata = VideoMetadata("v", len(video.timestamps), made.digest, checksum(tensors))
    (folder / file_name("v")).write_bytes(save(tensors, metadata.to_entry()))
    finish_bank(folder, made, ["v"])


def test_disorder_and_nan_are_found_though_every_checksum_is_right(tmp_path):
    features = torch.ones(3, 4)
    features[2, 1] = float("nan")
    video = StoredVideo(
        timestamps=torch.tensor([905, 903, 904], dtype=torch.int32),
        boxes=torch.zeros(3, 4),
        scores=torch.ones(3),
        features=features,
        scales=None,
    )
    write_as_is(tmp_path, video)
    said = problems(tmp_path)["v"]
    assert "not in order of time" in said
    assert "NaN or Inf in 1 rows, the first at second 904" in said
    assert "checksum" not in said


def test_failed_videos_are_no_damage(tmp_path):
    made = provenance()
    BankWriter(tmp_path, made)
    finish_bank(tmp_path, made, ["broken"], {"broken": "cut off"})
    assert problems(tmp_path) == {}
    assert json.loads((tmp_path / "manifest.json").read_text())["failed"] == {"broken": "cut off"}


@pytest.mark.parametrize(
    "changes", [{"mean": [1e9] * 4}, {"std": [float("nan")] * 4}, {"num_rows": 7}, {"num_videos": 9}]
)
def test_figures_that_are_not_those_of_the_files_are_found(tmp_path, changes):
    write_bank(tmp_path, {"v": ROWS, "w": ROWS[:1]})
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    assert "not those of the files" in problems(tmp_path)["manifest.json"]
