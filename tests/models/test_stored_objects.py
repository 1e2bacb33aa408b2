"""What a stored configuration may bring to life: the table's names at any depth, and classes of trusted packages."""

import sys
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from lfb_lightning.errors import InputError
from lfb_lightning.models import (
    FBOMax,
    FBONonLocal,
    MultiLabelLoss,
    ResNet3d,
    RoIFeatures,
    assemble_detector,
    load_detector,
    trusted_packages,
)
from lfb_lightning.models.checkpoint import DETECTOR_PARTS, LOSSES, build_detector
from lfb_lightning.models.stored_objects import StoredObjects
from tests import stored
from tests.models.test_detector import SPEC

OBJECTS = StoredObjects(source="checkpoint x.ckpt")
REFUSED = {
    "another package": {"_target_": "pandas.read_pickle", "filepath_or_buffer": "x"},
    "the standard library": {"_target_": "os.system", "command": "true"},
    "an import of ours": {"_target_": "lfb_lightning.models.checkpoint.import_module", "name": "x"},
    "a module of ours": {"_target_": "lfb_lightning.models.checkpoint.torch.hub.load"},
    "another function of ours": {"_target_": "lfb_lightning.models.load_detector", "path": "x"},
    "a class of another floor": {"_target_": "lfb_lightning.bank.BankWriter"},
    "a method": {"_target_": "lfb_lightning.models.ResNet3d.eval"},
    "a name with a blank": {"_target_": "lfb_lightning.models.ResNet3d "},
    "no name": {"_target_": ["lfb_lightning.models.ResNet3d"]},
    "nothing": {"_target_": None},
    "positional arguments": {"_target_": "lfb_lightning.models.ResNet3d", "_args_": [50]},
    "Hydra's recursion": {"_target_": "lfb_lightning.models.ResNet3d", "_recursive_": False},
    "Hydra's conversion": {"_target_": "lfb_lightning.models.ResNet3d", "_convert_": "object"},
    "a mode": {"_target_": "lfb_lightning.models.ResNet3d", "_mode_": "x"},
    "a part without its arguments": {"_target_": "lfb_lightning.models.ResNet3d", "_partial_": True},
    "partial without a target": {"_partial_": True},
    "a partial that is built": {"_target_": "lfb_lightning.models.ResNet3d", "_partial_": {"_target_": "os.system"}},
}


def one_line(error):
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("node", REFUSED.values(), ids=REFUSED)
def test_everything_else_is_refused_at_every_depth(node):
    for key, spec in {
        "model": node,
        "model.backbone": {**SPEC, "backbone": node},
        "model.backbone.stage_blocks": {**SPEC, "backbone": {**SPEC["backbone"], "stage_blocks": node}},
        "model.backbone.stage_blocks.1.x": {**SPEC, "backbone": {**SPEC["backbone"], "stage_blocks": [1, {"x": node}]}},
    }.items():
        with pytest.raises(InputError) as refused:
            build_detector(spec, source="checkpoint x.ckpt")
        with pytest.raises(InputError, match=r"^checkpoint x\.ckpt: model"):
            OBJECTS.check(spec, "model", DETECTOR_PARTS)
        line = one_line(refused)
        assert line.startswith(f"checkpoint x.ckpt: {key}") or "does not fit" in line
        target = node.get("_target_")
        if isinstance(target, str) and target not in DETECTOR_PARTS:
            assert repr(target) in line


def test_a_check_of_names_calls_nothing():
    OBJECTS.check({**SPEC, "no_such_argument": [1, None, "x", {"y": 2}]}, "model", DETECTOR_PARTS)


def test_a_section_of_plain_values_builds_nothing():
    with pytest.raises(
        InputError, match=r"data\.class_groups\._target_ is 'lfb_lightning\.models\.ResNet3d'"
    ) as refused:
        OBJECTS.plain({"fps": 25, "class_groups": {"_target_": "lfb_lightning.models.ResNet3d"}}, "data")
    one_line(refused)
    assert OBJECTS.plain({"fps": 25, "video_dir": "${oc.env:HOME}"}, "data") == {
        "fps": 25,
        "video_dir": "${oc.env:HOME}",
    }


@pytest.mark.parametrize("node", [None, 5, "text", [], {}, {"focal_alpha": 1.0}])
def test_a_section_that_is_none(node):
    with pytest.raises(InputError, match=r"^checkpoint x\.ckpt: loss says nothing to build"):
        OBJECTS.build(node, "loss", LOSSES)


@pytest.mark.parametrize("arguments", [{"focal_alpha": 1.0, "unknown": 2}, {"action_ids": 1, "background": []}])
def test_arguments_that_do_not_fit_are_one_line(arguments):
    spec = {**SPEC, "num_classes": "many", **arguments}
    with pytest.raises(
        InputError, match=r"^checkpoint x\.ckpt: model does not fit assemble_detector \(TypeError"
    ) as refused:
        build_detector(spec, source="checkpoint x.ckpt")
    one_line(refused)


def test_stored_names_cannot_write_to_the_terminal():
    for spec in ({**SPEC, "two\nlines\x1b[2J": {"_target_": "x\n\x1b[2J.y"}}, {**SPEC, "two\nlines\x1b[2J": 1}):
        with pytest.raises(InputError) as refused:
            build_detector(spec, source="checkpoint x.ckpt")
        assert one_line(refused).isprintable()


def test_both_names_of_a_part_are_known():
    assert DETECTOR_PARTS["lfb_lightning.models.ResNet3d"] is ResNet3d
    assert DETECTOR_PARTS["lfb_lightning.models.resnet3d.ResNet3d"] is ResNet3d  # 0.1
    assert DETECTOR_PARTS["lfb_lightning.models.fbo_nonlocal.FBONonLocal"] is FBONonLocal  # 0.1
    assert DETECTOR_PARTS["lfb_lightning.models.roi_features.RoIFeatures"] is RoIFeatures  # 0.1
    assert DETECTOR_PARTS["lfb_lightning.models.fbo.FBOMax"] is FBOMax
    assert DETECTOR_PARTS["lfb_lightning.models.backbones.resnet3d.ResNet3d"] is ResNet3d
    assert DETECTOR_PARTS["lfb_lightning.models.detector.assemble_detector"] is assemble_detector
    assert DETECTOR_PARTS["lfb_lightning.models.FBOMax"] is FBOMax
    assert LOSSES["lfb_lightning.models.losses.MultiLabelLoss"] is MultiLabelLoss


NET = """
import os
from os import system
from pathlib import Path
from lfb_lightning.models import ResNet3d


class Net(ResNet3d):
    '''A backbone of a person's own.'''


def net(**options):
    return Net(**options)


shortcut = os.system
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A real package on the path, and its like beside it whose name begins with the same letters."""
    for name, text in {"own_nets": NET, "own_nets_evil": "raise SystemExit('was imported')"}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
        (tmp_path / name / "nets.py").write_text(text)
    (tmp_path / "own_nets" / "broken.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "own_nets"
    for name in [name for name in sys.modules if name.startswith("own_nets")]:
        del sys.modules[name]


def with_backbone(path, target):
    model = stored.config()["model"]
    return stored.with_sections(path, model={**model, "backbone": {**model["backbone"], "_target_": target}})


@pytest.mark.parametrize("target", ["own_nets.nets.Net", "own_nets.nets.net"])
def test_a_trusted_package_may_be_named(package, tmp_path, target):
    path = with_backbone(tmp_path / "own.ckpt", target)
    with pytest.raises(InputError, match=r"trusted_packages=\[own_nets\]") as refused:
        load_detector(path)
    assert f"checkpoint {path}: model.backbone._target_ is '{target}'" in one_line(refused)
    assert "own_nets.nets" not in sys.modules
    for trusted in (package, "own_nets.nets"):
        assert type(load_detector(path, [trusted]).backbone).__module__ == "own_nets.nets"


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("own_nets.nets.os.system", "cannot be imported"),
        ("own_nets.nets.system", "no class or function system that own_nets defines"),
        ("own_nets.nets.shortcut", "no class or function shortcut"),
        ("own_nets.nets.ResNet3d", "no class or function ResNet3d"),
        ("own_nets.nets.Path", "no class or function Path"),
        ("own_nets.nets.os", "no class or function os"),
        ("own_nets.nets.nothing", "no class or function nothing"),
        ("own_nets.nothing.Net", "cannot be imported: ModuleNotFoundError"),
        ("own_nets.broken.Net", "cannot be imported: ZeroDivisionError"),
        ("own_nets.__main__.Net", "not part of"),
        ("own_nets..nets.Net", "not part of"),
        ("own_nets_evil.nets.Net", "not part of"),
        ("os.system", "not part of"),
        ("Net", "not part of"),
        ("", "not part of"),
    ],
)
def test_of_a_trusted_package_only_what_it_defines(package, tmp_path, target, reason):
    with pytest.raises(InputError, match=reason) as refused:
        load_detector(with_backbone(tmp_path / "own.ckpt", target), trusted_packages=[package])
    assert repr(target) in one_line(refused)
    assert "own_nets_evil.nets" not in sys.modules


def test_an_installed_package_is_trusted_by_its_entry_point(package, tmp_path, monkeypatch):
    path = with_backbone(tmp_path / "own.ckpt", "own_nets.nets.Net")
    point = EntryPoint(name="own", value="own_nets", group=trusted_packages.ENTRY_POINT_GROUP)
    monkeypatch.setattr(trusted_packages, "entry_points", lambda group: EntryPoints([point]).select(group=group))
    assert type(load_detector(path).backbone).__name__ == "Net"


@pytest.mark.parametrize("packages", ["own_nets", [""], ["a b"], ["own_nets."], ["__main__"]])
def test_what_is_no_package_is_said(packages):
    with pytest.raises(InputError, match="trusted_packages"):
        load_detector(stored.BASELINE, packages)


def test_the_standard_library_is_never_proposed(tmp_path):
    with pytest.raises(InputError) as refused:
        load_detector(with_backbone(tmp_path / "x.ckpt", "os.system"))
    assert "trusted_packages" not in one_line(refused)
