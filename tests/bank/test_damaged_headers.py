"""Bank files, manifests and tables that do not fit together are one clear error, wherever they are opened first."""

import json

import pytest
from safetensors import safe_open
from safetensors.torch import save_file

from lfb_lightning.bank import FeatureBank
from lfb_lightning.bank.layout import file_name, read_header
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe
from tests.bank.test_window import write_bank

ROWS = [(902, 0.5), (903, 0.9), (904, 0.8)]


@pytest.fixture
def path(tmp_path):
    write_bank(tmp_path, {"v": ROWS})
    return tmp_path / file_name("v")


def rewrite(path, change):
    """The file with its tensors and its metadata changed by `change`."""
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        metadata = dict(file.metadata())
    change(tensors, metadata)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata)


def narrower(tensors):
    """Of the first two channels only."""
    sums = {name: tensors[name][:2] for name in ("channel_sum", "channel_square_sum")}
    return {**sums, "features": tensors["features"][:, :2]}


@pytest.mark.parametrize("length", [0, 2**62, 2**64 - 1, "all", "one more"])
def test_a_header_is_as_long_as_it_says(path, length):
    content = path.read_bytes()
    number = {"all": len(content) - 8, "one more": len(content) - 7}.get(length, length)
    path.write_bytes(number.to_bytes(8, "little") + content[8:])
    with pytest.raises(InputError, match=r"v\.safetensors: not a whole bank file"):
        read_header(path)


def test_a_header_longer_than_any_is_not_read(path):
    content = path.read_bytes()
    path.write_bytes((1 << 21).to_bytes(8, "little") + b" " * (1 << 21) + content)
    with pytest.raises(InputError, match=f"header of {1 << 21} bytes is cut off, or longer than {1 << 20}"):
        read_header(path)


CHANGES = {
    "no scores": lambda tensors, metadata: tensors.pop("scores"),
    "times of 64 bits": lambda tensors, metadata: tensors.update(timestamps=tensors["timestamps"].long()),
    "a score less": lambda tensors, metadata: tensors.update(scores=tensors["scores"][:2]),
    "boxes of three": lambda tensors, metadata: tensors.update(boxes=tensors["boxes"][:, :3]),
    "features of a row less": lambda tensors, metadata: tensors.update(features=tensors["features"][:2]),
    "features in a row": lambda tensors, metadata: tensors.update(features=tensors["features"].flatten()),
    "no metadata": lambda tensors, metadata: metadata.clear(),
    "other metadata": lambda tensors, metadata: metadata.update(lfb="[1]"),
    "more rows": lambda tensors, metadata: metadata.update(lfb=metadata["lfb"].replace('"rows": 3', '"rows": 4')),
    "rows in words": lambda tensors, metadata: metadata.update(lfb=metadata["lfb"].replace('"rows": 3', '"rows": "3"')),
}


@pytest.mark.parametrize("name", CHANGES)
def test_tensors_that_do_not_fit_are_refused_before_they_are_read(path, name):
    rewrite(path, CHANGES[name])
    with pytest.raises(InputError, match=r"v\.safetensors: not a whole bank file"):
        read_header(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda tensors, metadata: tensors.update(narrower(tensors)), "not the manifest's"),
        (lambda tensors, metadata: tensors.update(features=tensors["features"].double()), "not the manifest's"),
        (lambda tensors, metadata: tensors.update(timestamps=tensors["timestamps"].flip(0)), "not in order of time"),
    ],
)
def test_rows_that_are_not_the_banks_are_refused_by_windows(path, change, said):
    rewrite(path, change)
    with pytest.raises(InputError, match=rf"v\.safetensors: .*{said}"):
        FeatureBank.open(path.parent).rows_at(Keyframe("v", 902))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_rows": -1}, "num_videos and num_rows"),
        ({"num_videos": "1"}, "num_videos and num_rows"),
        ({"mean": [0.0]}, "mean has 1 numbers"),
        ({"std": "x"}, "std is no list of numbers"),
        ({"mean": [[]] * 4}, "mean is no list of numbers"),
        ({"videos_checksum": None}, "provenance"),
        ({"failed": [1]}, "failed does not name"),
        ({"provenance": 3}, "cannot be used"),
        ({"more": 3}, "cannot be used"),
        ({"format": [[]]}, "is in format"),
    ],
)
def test_a_manifest_with_odd_figures_is_named(path, changes, said):
    manifest = path.parent / "manifest.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | changes))
    with pytest.raises(InputError, match=said) as error:
        FeatureBank.open(path.parent)
    assert str(path.parent) in str(error.value)


@pytest.mark.parametrize("channels", [0, -4, 5, 2**40, "4", None])
def test_channels_that_are_not_those_of_the_statistics_are_named(path, channels):
    manifest = path.parent / "manifest.json"
    content = json.loads(manifest.read_text())
    content["provenance"]["channels"] = channels
    manifest.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"manifest\.json: .*(channels is|one per channel)"):
        FeatureBank.open(path.parent)
