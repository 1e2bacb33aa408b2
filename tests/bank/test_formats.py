"""Banks of 0.1 read as they are; what their format cannot say makes a format of its own."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from lfb_lightning.bank import BankWriter, FeatureBank, WindowSpec, finish_bank
from lfb_lightning.bank.verify import verify
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe
from tests.bank.test_window import provenance, write_bank

OLD = Path(__file__).parent / "bank_0.1"  # written by version 0.1, with windows that it read


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_banks_of_0_1_have_their_digest_windows_and_bytes(tmp_path, precision):
    recorded = json.loads((OLD / f"{precision}.json").read_text())
    bank = FeatureBank.open(OLD / precision / "val")
    made = bank.manifest.provenance
    assert made.digest == recorded["digest"]
    assert (made.ticks_per_second, made.entries, made.spacing) == ("1", "persons", ())
    assert [verdict.problem for verdict in verify(bank)] == [None, None]
    for name, expected in recorded["windows"].items():
        video_id, second = name.rsplit(",", 1)
        window = bank.window(Keyframe(video_id, int(second)), WindowSpec())
        assert window.mask[0].nonzero()[:, 0].tolist() == expected["slots"]
        assert window.padded(torch.float32)[0][window.mask[0]].tolist() == expected["features"]
    copy = tmp_path / "val"
    shutil.copytree(bank.folder, copy)
    (copy / "manifest.json").unlink()
    writer = BankWriter(copy, made)  # extraction that goes on there
    assert writer.is_finished("first")
    if precision == "fp16":  # int8 rounds to even scales anew
        for video_id in bank.videos:
            video = bank.read_video(video_id)
            (copy / writer.path(video_id).name).unlink()
            boxes, scores = video.boxes.double(), video.scores.double()
            writer.write(video_id, timestamps=video.timestamps, boxes=boxes, scores=scores, features=video.decoded)
    finish_bank(copy, made, ["first", "second.mkv", "broken"], {"broken": "broken.mkv: cut off"})
    for path in bank.folder.iterdir():
        assert (copy / path.name).read_bytes() == path.read_bytes(), path.name


@pytest.mark.parametrize("changes", [{"ticks_per_second": "24"}, {"entries": "clips"}, {"spacing": (12, 11)}])
def test_what_format_3_cannot_say_is_written_in_format_4_and_read_back(tmp_path, changes):
    bank, _ = write_bank(tmp_path, {"v": [(11, 0.5)]}, **changes)
    assert json.loads((tmp_path / "manifest.json").read_text())["format"] == 4
    assert bank.manifest.provenance == provenance(**changes)
    assert bank.manifest.provenance.digest != provenance().digest
    with pytest.raises(InputError, match=f"{next(iter(changes))}: .* there, .* here"):
        BankWriter(tmp_path, provenance())


def test_defaults_make_format_3(tmp_path):
    write_bank(tmp_path, {"v": [(11, 0.5)]}, ticks_per_second="1", entries="persons", spacing=())
    content = json.loads((tmp_path / "manifest.json").read_text())
    assert content["format"] == 3
    assert not {"ticks_per_second", "entries", "spacing"} & content["provenance"].keys()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ticks_per_second": "0"}, "ticks_per_second is 0, expected more than 0"),
        ({"ticks_per_second": "x"}, "bank.ticks_per_second is 'x', expected a number"),
        ({"ticks_per_second": 24}, "something else than texts"),
        ({"entries": "faces"}, "a bank of 'faces'"),
        ({"spacing": [12]}, r"at ticks \(12,\)"),
        ({"spacing": [0, 0]}, r"at ticks \(0, 0\)"),
        ({"spacing": "12"}, "spacing is '12'"),
        ({"spacing": [12, 1.5]}, "spacing is"),
        ({"spacing": {"12": 1}}, "spacing is"),
    ],
)
def test_odd_clocks_of_a_manifest_are_named(tmp_path, changes, said):
    write_bank(tmp_path, {"v": [(11, 0.5)]}, entries="clips")
    path = tmp_path / "manifest.json"
    content = json.loads(path.read_text())
    content["provenance"] |= changes
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=rf"manifest\.json: cannot be used \(.*{said}"):
        FeatureBank.open(tmp_path)


def test_a_field_that_its_format_does_not_have_is_refused(tmp_path):
    write_bank(tmp_path, {"v": [(11, 0.5)]})
    path = tmp_path / "manifest.json"
    content = json.loads(path.read_text())
    content["provenance"]["entries"] = "clips"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="format 3 does not have"):
        FeatureBank.open(tmp_path)
