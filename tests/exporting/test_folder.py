"""A detector's folder: the same weights bit for bit, nothing of the machine, and every damage told in one line."""

import importlib
import json
import shutil
import struct
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from lfb_lightning.bank import BankConfig
from lfb_lightning.clips import ClipSettings
from lfb_lightning.errors import InputError
from lfb_lightning.exporting import open_detector
from lfb_lightning.models import ActionDetector, load_detector, state_digest
from lfb_lightning.models.hub import local_folder
from lfb_lightning.models.loading import load_with_config, start_from
from lfb_lightning.models.portable import CLIP_KEYS, WINDOW_KEYS
from lfb_lightning.models.pretrained import export_folder
from lfb_lightning.prediction.trained import load_trained


@pytest.fixture
def folder(checkpoints, tmp_path):
    detector = load_detector(checkpoints["nl"])
    return detector.save_pretrained(tmp_path / "nl", config={**detector.stored_config, "license": "cc-by-4.0"})


def test_every_reader_finds_the_same_detector(checkpoints, folder):
    expected = load_detector(checkpoints["nl"])
    for made in (ActionDetector.from_pretrained(folder), load_detector(folder), open_detector(folder)[0]):
        assert state_digest(made) == state_digest(expected)  # names, shapes, dtypes and bits
        assert not made.training
    again = ActionDetector.from_pretrained(str(folder)).save_pretrained(folder.parent / "again")
    assert (again / "config.json").read_bytes() == (folder / "config.json").read_bytes()
    assert (again / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
    other = load_detector(checkpoints["nl_masked"])
    assert "started from" in start_from(other, folder).text
    assert state_digest(other.backbone) == state_digest(expected.backbone)


def test_the_recipe_is_that_of_the_checkpoint(checkpoints, folder):
    assert str(load_trained(folder).recipe) == str(load_trained(checkpoints["nl"]).recipe)


def test_nothing_of_the_machine_is_written(folder):
    text = (folder / "config.json").read_text()
    assert "/home/" not in text
    config = json.loads(text)
    assert config["license"] == "cc-by-4.0"
    assert config["model"]["backbone_weights"] is None
    assert config["trained_on"]["actions"] == {"1": "stand", "2": "sit <b>", "4": "answer phone"}
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]


def test_the_portable_keys_are_those_that_exist():
    fields = set(ClipSettings.__dataclass_fields__)
    assert set(CLIP_KEYS) - {"ticks_per_second", "key_step", "train_colour_jitter"} == fields
    places = {"dir", "others", "keyframes", "outside_video", "strict", "on_error", "pack", "work_dir"}
    assert set(WINDOW_KEYS) == set(BankConfig.__dataclass_fields__) - places


def test_a_detector_that_was_built_needs_a_configuration(checkpoints, tmp_path):
    detector = load_detector(checkpoints["none"])
    detector.stored_config = None
    with pytest.raises(ValueError, match="was built and not loaded"):
        detector.save_pretrained(tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_other_files_are_left_alone(checkpoints, tmp_path):
    detector = load_detector(checkpoints["none"])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("years")
    for overwrite in (False, True):
        with pytest.raises(InputError, match="full"):
            detector.save_pretrained(tmp_path / "full", overwrite=overwrite)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.tex"]
    made = detector.save_pretrained(tmp_path / "made")
    (made / "README.md").write_text("mine")
    (made / "features.onnx").write_text("of an earlier export")
    with pytest.raises(InputError, match=r"is not empty; .*overwrite=true"):
        detector.save_pretrained(made)
    detector.save_pretrained(made, overwrite=True)
    assert sorted(path.name for path in made.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    (made / "config.json").unlink()
    (made / "unfinished").touch()
    detector.save_pretrained(made)  # what a killed export has left
    assert sorted(path.name for path in made.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    with pytest.raises(InputError, match="is a file"):
        detector.save_pretrained(made / "config.json")


def test_an_export_that_fails_leaves_the_one_that_is_there(checkpoints, tmp_path):
    made = load_detector(checkpoints["none"]).save_pretrained(tmp_path / "made")
    before = {path.name: path.read_bytes() for path in made.iterdir()}
    with pytest.raises(RuntimeError), export_folder(made, overwrite=True) as folder:  # noqa: PT012
        (folder / "features.onnx").write_text("half of it")
        raise RuntimeError("tracing failed")
    assert {path.name: path.read_bytes() for path in made.iterdir()} == before
    with export_folder(made, overwrite=True) as folder:
        assert {path.name: path.read_bytes() for path in made.iterdir()} == before
        for name in ("features.onnx", "config.json"):
            (folder / name).write_text("new")
    assert {path.name: path.read_text() for path in made.iterdir()} == {"features.onnx": "new", "config.json": "new"}
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_weights_of_somebody_else_are_nobodys_to_remove(checkpoints, tmp_path):
    """A folder of weights alone, as other tools write it, has the name of a file of ours and none of our exports."""
    (tmp_path / "model.safetensors").write_bytes(b"weeks of training")
    for overwrite in (False, True):
        with pytest.raises(InputError):
            load_detector(checkpoints["none"]).save_pretrained(tmp_path, overwrite=overwrite)
    assert (tmp_path / "model.safetensors").read_bytes() == b"weeks of training"


def change(folder, **sections):
    content = json.loads((folder / "config.json").read_text()) | sections
    (folder / "config.json").write_text(json.dumps(content))


def nested(depth):
    return {"a": nested(depth - 1)} if depth else 1


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"model": {"_target_": "os.system", "command": "touch proof"}}, r"model\._target_ is 'os\.system'"),
        (
            {"model": {"_target_": "lfb_lightning.models.ActionDetector", "backbone": {"_target_": "builtins.open"}}},
            "open",
        ),
        ({"model": None}, "says nothing to build"),
        ({"made_by": "somebody"}, "was not written by lfb-export"),
        ({"format": "pickle"}, "was not written by lfb-export"),
        ({"format_version": 9}, "is of version 9, this package .* reads version 1"),
        ({"notes": nested(40)}, "nested more than 32 levels"),
        ({"notes": nested(900)}, "nested"),
        ({"notes": "x" * (1 << 20)}, "expected at most 1048576"),
        ({"format": "onnx"}, "exported as onnx, whose weights are not read"),
    ],
)
def test_a_configuration_is_data(sections, message, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    change(folder, **sections)
    with pytest.raises(InputError, match=message) as raised:
        load_detector(folder)
    assert "\n" not in str(raised.value)
    assert str(folder) in str(raised.value)
    assert not (tmp_path / "proof").exists()


def test_a_larger_model_than_its_weights_is_given_up(folder):
    config = json.loads((folder / "config.json").read_text())
    config["model"]["backbone"]["base_channels"] = 4096
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="by far do not fill"):
        load_detector(folder)


def header(**entries):
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text)) + text


def span(begin, end, shape):
    return {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 64,
        struct.pack("<Q", 1 << 60) + b"{}",
        header(a=span(0, 1 << 50, [1 << 48])) + bytes(8),
        header(a=span(0, 8, [2]), b=span(0, 8, [2])) + bytes(8),  # one run of bytes as two tensors
        header(a=span(4, 8, [1])) + bytes(8),
        header(a=span(0, 8, [1])) + bytes(8),
        header(a={"dtype": "F8_E4M3", "shape": [8], "data_offsets": [0, 8]}) + bytes(8),
        header(a=span(0, 8, ["2"])) + bytes(8),
    ],
)
def test_a_damaged_file_of_weights_is_told_in_a_line(content, folder):
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(InputError, match=r"model\.safetensors: cannot be read"):
        load_detector(folder)


def test_weights_that_do_not_fit(folder):
    weights = load_file(folder / "model.safetensors")
    for changed, message in [
        ({name: value for name, value in weights.items() if name != "head.bias"}, r"1 weights missing \['head.bias'\]"),
        (weights | {"head.bias": torch.zeros(7)}, "1 of another shape"),
        (weights | {"more": torch.zeros(1)}, r"1 unexpected \['more'\]"),
    ]:
        save_file(changed, folder / "model.safetensors")
        with pytest.raises(InputError, match=message):
            load_detector(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"model\.safetensors: no such file"):
        load_detector(folder)
    with pytest.raises(InputError, match=r"a folder without config\.json"):
        load_detector(folder.parent)


def test_a_detector_of_the_hub_is_read_from_its_cache_without_network(folder, tmp_path, monkeypatch):
    cache = tmp_path / "cache" / "models--somebody--walkers"
    (cache / "refs").mkdir(parents=True)
    (cache / "refs" / "main").write_text("0" * 40)
    snapshot = cache / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (cache / "blobs").mkdir()
    for path in folder.iterdir():  # as the hub's client keeps them: links to blobs
        shutil.copy(path, cache / "blobs" / path.stem)
        (snapshot / path.name).symlink_to(f"../../blobs/{path.stem}")
    constants = importlib.import_module("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    made = ActionDetector.from_pretrained("somebody/walkers")
    assert state_digest(made) == state_digest(load_detector(folder))
    with pytest.raises(InputError, match=r"checkpoint somebody/others: no such folder, and it could not be fetched"):
        ActionDetector.from_pretrained("somebody/others")


def test_only_a_name_of_the_hub_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "best.ckpt").touch()
    with pytest.raises(InputError, match="is a file, expected a detector's folder"):
        local_folder("runs/best.ckpt")
    for name in ("nothing", "../up", "/abs/olute", "a/b/c", "https://x.y/z", "a/.."):
        with pytest.raises(InputError, match="no such folder, and no name of the hub"):
            local_folder(name)
    with pytest.raises(InputError, match=r"pip install 'lfb-lightning\[hub\]'"):
        local_folder("somebody/walkers")
    (tmp_path / "somebody" / "walkers").mkdir(parents=True)
    assert local_folder("somebody/walkers").samefile(tmp_path / "somebody" / "walkers")


def test_a_checkpoint_with_strange_actions_is_exported_all_the_same(checkpoints, tmp_path):
    detector, config = load_with_config(checkpoints["none"])
    config["trained_on"] = {"actions": {1: "stand", "x": "?", -3: "y"}}
    made = detector.save_pretrained(tmp_path / "a", config=config)
    assert load_trained(made).recipe.actions == {1: "stand"}
