"""A checkpoint is data in every command that reads one: it runs nothing, resolves nothing and chooses no place to write."""

import functools
import json
import os
import pickle
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml

from lfb_lightning.bank import BankConfig, FeatureBank
from lfb_lightning.cli.conf_dir import conf_dir
from lfb_lightning.cli.sections import STORED_PARTS, adopt
from lfb_lightning.errors import InputError
from lfb_lightning.lightning.modules.optimization import Optimization
from lfb_lightning.models import MultiLabelLoss, SingleLabelLoss, load_detector
from lfb_lightning.models.checkpoint import DETECTOR_PARTS
from tests import stored
from tests.cli.in_process import run
from tests.cli.test_config import compose
from tests.conftest import Console, Here

DETECTOR_GROUPS = ("model", "backbone", "fbo")


class Payload:
    """Unpickling it leaves a file behind."""

    def __init__(self, proof):
        self.proof = proof

    def __reduce__(self):
        return (Path.touch, (self.proof,))


@pytest.fixture
def attacks(tmp_path):
    """Targets that ran, or would have, each with the arguments with which it leaves `proof`."""
    proof = tmp_path / "proof"
    (tmp_path / "payload.pkl").write_bytes(pickle.dumps(Payload(proof)))
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub" / "hubconf.py").write_text(f"open({str(proof)!r}, 'w')\ndef go(): pass\n")
    (tmp_path / "text").write_text("x")
    nodes = [
        {"_target_": "pandas.read_pickle", "filepath_or_buffer": str(tmp_path / "payload.pkl")},
        {"_target_": "torch.hub.load", "repo_or_dir": str(tmp_path / "hub"), "model": "go", "source": "local"},
        {"_target_": "shutil.copyfile", "src": str(tmp_path / "text"), "dst": str(proof)},
        {"_target_": "os.system", "command": f"touch {proof}"},
        {"_target_": "builtins.open", "file": str(proof), "mode": "w"},
        {"_target_": "builtins.open", "_args_": [str(proof), "w"]},
        {"_target_": "lfb_lightning.models.checkpoint.Path.touch", "self": str(proof)},
        {"_target_": "hydra.utils.instantiate", "config": {"_target_": "builtins.open", "file": str(proof)}},
    ]
    return proof, nodes


@functools.cache
def composed(*overrides):
    return compose("test", *overrides, plain=False)


def sections_of(stored_config, *overrides, trusted_packages=(), writes_bank=False):
    return adopt(
        composed(*overrides),
        stored_config,
        overrides,
        ("data", "bank", "task", "loss"),
        source="checkpoint x.ckpt",
        trusted_packages=trusted_packages,
        writes_bank=writes_bank,
    )


def test_what_an_import_says_of_scores_stays_where_a_path_is_typed():
    """`paths.data_dir=...` takes sections from the command since stored ones name files; an import's `task` names none."""
    imported = {"imported_from": "x.pth", "task": {"times_person_score": True}}
    for typed, expected in (
        ((), True),
        (("paths.data_dir=elsewhere",), True),
        (("paths.data_dir=elsewhere", "task.times_person_score=false"), False),
        (("experiment=mini_ava",), True),
    ):
        assert sections_of(imported, *typed).content()["task"]["times_person_score"] is expected, typed
    trained = {"task": {"_target_": "lfb_lightning.lightning.DetectionTask", "times_person_score": True}}
    assert sections_of(trained, "paths.data_dir=elsewhere").content()["task"]["times_person_score"] is False


def build_all(sections, detector=None):
    sections.data()
    sections.make("bank", BankConfig)
    loss = sections.build("loss")
    optimization = Optimization(optimizer=torch.optim.SGD, lr=1.0, base_batch_size=1)
    return sections.build(
        "task",
        detector=detector or load_detector(stored.BASELINE),
        loss=loss,
        optimization=optimization,
        evaluator=lambda threshold: None,
        batch_size=1,
        num_training_batches=lambda: 1,
        config_text="",
    )


def places(config, node):
    """The stored configuration with `node` in every section that a command builds or reads, whole and nested."""
    nested = {"x": [node]}
    yield "loss", {**config, "loss": node}
    yield "loss.action_ids", {**config, "loss": {**config["loss"], "action_ids": node}}
    yield "loss.action_ids.x.0", {**config, "loss": {**config["loss"], "action_ids": nested}}
    yield "task", {**config, "task": node}
    yield "task.action_threshold", {**config, "task": {**config["task"], "action_threshold": node}}
    yield "task.detector.x.0", {**config, "task": {**config["task"], "detector": nested}}
    yield "data", {**config, "data": node}
    yield "data.class_groups.x.0", {**config, "data": {**config["data"], "class_groups": nested}}
    yield "bank.dir", {**config, "bank": {**config["bank"], "dir": node}}


def test_a_stored_target_is_refused_in_every_section_at_every_depth(attacks):
    proof, nodes = attacks
    config, detector = stored.config(), load_detector(stored.BASELINE)
    for node in nodes:
        for key, attacked in places(config, node):
            with pytest.raises(InputError) as refused:
                build_all(sections_of(attacked), detector)
            line = str(refused.value)
            assert line.startswith(f"checkpoint x.ckpt: {key}")
            assert "\n" not in line
            assert "_args_" in line or repr(node["_target_"]) in line
        assert not proof.exists()
    assert build_all(sections_of(config), detector).on_nan == "stop"


def test_sections_that_are_none_are_one_line():
    config, detector = stored.config(), load_detector(stored.BASELINE)
    for name in ("data", "bank", "task", "loss"):
        for wrong in (None, 5, "text", [], {}, {"unknown_key": 1}):
            with pytest.raises(InputError, match=rf"^checkpoint x\.ckpt: {name}") as refused:
                build_all(sections_of({**config, name: wrong}), detector)
            assert "\n" not in str(refused.value)
    without = {name: section for name, section in config.items() if name not in ("task", "loss")}
    assert isinstance(build_all(sections_of(without)).loss, MultiLabelLoss)  # as composed


def test_stored_text_stays_literal_and_typed_text_is_resolved(monkeypatch):
    monkeypatch.setenv("SECRET", "s3cret")
    config = stored.config()
    config["data"] |= {"video_dir": "${oc.env:SECRET}", "class_groups": {"${oc.env:SECRET}": [1]}}
    config["bank"] |= {"dir": "${paths.bank_dir}/\\${x}"}
    sections = sections_of(config, "data.label_map=${oc.env:SECRET}", "data.fps=25.0")
    data, bank = sections.data(), sections.make("bank", BankConfig)
    assert (data.dataset.video_dir, data.dataset.label_map, data.clips.fps) == ("${oc.env:SECRET}", "s3cret", 25.0)
    assert (data.dataset.class_groups, bank.dir) == ({"${oc.env:SECRET}": [1]}, "${paths.bank_dir}/\\${x}")
    assert sections.content()["data"]["video_dir"] == "${oc.env:SECRET}"


def test_what_is_typed_over_a_stored_section_is_the_persons():
    config = stored.config()
    config["loss"]["focal_gamma"] = 2.0
    typed = sections_of(config, "loss._target_=lfb_lightning.models.losses.SingleLabelLoss", "~loss.pos_weight")
    loss = typed.build("loss")
    assert (type(loss), loss.focal_gamma) == (SingleLabelLoss, 2.0)
    config["loss"]["pos_weight"] = {"_target_": "builtins.float", "x": 3}
    # The person's target, called through Hydra; a stored one below it is still a stored one.
    with pytest.raises(InputError, match=r"loss\.pos_weight\._target_ is 'builtins\.float'"):
        sections_of(config, "loss._target_=lfb_lightning.models.MultiLabelLoss").build("loss")
    mine = sections_of(config, "loss.pos_weight={_target_: builtins.float, _args_: [4]}")
    with pytest.raises(InputError, match="_args_"):  # Hydra's keys beside the target are for the person's own sections
        mine.build("loss")
    with pytest.raises(InputError, match=r"^checkpoint x\.ckpt: loss does not fit what is typed for it"):
        sections_of(stored.config(), "loss._target_=builtins.dict.fromkeys").build("loss")
    assert sections_of(config, "loss.pos_weight=5.0").build("loss").pos_weight == 5.0
    assert isinstance(sections_of(config, "loss=softmax").build("loss"), SingleLabelLoss)


def test_the_bank_that_is_written_lies_where_the_command_says():
    config = stored.config()
    config["bank"] |= {"dir": "/elsewhere", "precision": "fp32", "window_seconds": 7}
    read, written = (sections_of(config, writes_bank=writes).make("bank", BankConfig) for writes in (False, True))
    assert (read.dir, read.precision, read.window_seconds) == ("/elsewhere", "fp32", 7)
    assert (written.dir, written.precision, written.window_seconds) == ("banks/fp16", "fp16", 7)
    typed = sections_of(config, "bank.dir=here", writes_bank=True).make("bank", BankConfig)
    assert (typed.dir, typed.precision) == ("here", "fp16")
    chosen = sections_of(config, "bank=int8").make("bank", BankConfig)
    assert (chosen.dir, chosen.precision, chosen.window_seconds) == ("banks/int8", "int8", 7)


@pytest.mark.parametrize(
    ("bank", "cells"),
    [
        ({"window_seconds": 7, "cells": 7}, 30),  # a grid: its cells are its seconds
        ({"window_seconds": 70, "cells": 10, "layout": "hierarchical"}, 10),  # as many as the detector was trained with
        ({"window_seconds": 7}, None),  # of before there were cells
        ({"cells": 5, "layout": "strided"}, 5),
    ],
)
def test_a_window_that_is_typed_keeps_the_cells_that_a_detector_was_trained_with(bank, cells):
    config = stored.config()
    config["bank"] = {"dir": "banks", **bank}
    assert sections_of(config, "bank.window_seconds=30").make("bank", BankConfig).cells == cells


@pytest.mark.parametrize("bank", ["a grid", None, []])
def test_a_bank_that_is_no_section_is_refused(bank):
    config = stored.config() | {"bank": bank}
    with pytest.raises(InputError, match="bank"):
        sections_of(config, "bank.window_seconds=30").make("bank", BankConfig)


def targets_in(value):
    if isinstance(value, dict):
        yield from [value["_target_"]] if "_target_" in value else []
        for item in value.values():
            yield from targets_in(item)


def test_the_tables_have_what_conf_names():
    for path in conf_dir().glob("*/*.yaml"):
        group, node = path.parent.name, yaml.safe_load(path.read_text())
        table = DETECTOR_PARTS if group in DETECTOR_GROUPS else STORED_PARTS.get(group)
        if table is not None:
            assert set(targets_in(node)) <= table.keys(), path
    # Nothing else that conf/ names is ever built from a file.
    assert {"loss", "task"} == STORED_PARTS.keys()


@pytest.fixture(scope="module")
def workplace(tmp_path_factory, mini_dir):
    """Commands in a folder with `data/mini_ava`, as the released checkpoints have it."""
    folder = tmp_path_factory.mktemp("workplace")
    (folder / "data").mkdir()
    (folder / "data" / "mini_ava").symlink_to(mini_dir)
    return Here(folder)


@pytest.mark.slow
def test_checkpoints_of_version_0_1_are_read(workplace):
    """Through every command, with the figures of version 0.1; the banks lie where this command's own configuration says."""
    for split in ("train", "val"):
        workplace("extract", f"split={split}", f"ckpt_path={stored.BASELINE}", f"hydra.run.dir=extract_{split}")
    bank = FeatureBank.open(workplace.folder / "banks" / "fp16" / "val")
    assert (bank.channels, bank.manifest.num_videos) == (32, 3)
    for path, expected in stored.MAP.items():
        workplace("test", f"ckpt_path={path}", f"hydra.run.dir={path.stem}")
        metrics = json.loads((workplace.folder / path.stem / "metrics.json").read_text())
        assert metrics["mAP"] == pytest.approx(expected, abs=2e-3)
        assert load_detector(path).num_classes == 15
    verified = workplace("bank", "verify", "folder=banks/fp16/val", f"ckpt_path={stored.NL}")
    assert "0 bad" in verified.stdout


@pytest.mark.slow
def test_a_run_of_version_0_1_goes_on_as_it_would_have(workplace):
    """Its second epoch, with the weights that version 0.1 ended it with."""
    typed = [
        "experiment=mini_ava",
        "data.last_second=920",
        "data.num_workers=0",
        "backbone.base_channels=4",
        "fbo=none",
    ]
    typed += ["trainer.max_epochs=2", f"ckpt_path={stored.BASELINE}", "hydra.run.dir=resumed"]
    done = run("train", *typed, folder=workplace.folder)
    assert done.status == 0, done.stderr
    last = stored.content(workplace.folder / "resumed" / "checkpoints" / "last.ckpt")
    assert last["global_step"] == stored.RESUMED["global_step"]
    for name, norm in stored.RESUMED["norms"].items():
        assert last["state_dict"][name].norm().item() == pytest.approx(norm, rel=1e-3)


def refusal(console, command, *arguments):
    failed = console(command, *arguments, fails=True)
    assert failed.returncode == 1
    assert "Traceback" not in failed.stderr, failed.stderr
    line = [line for line in failed.stderr.splitlines() if line.startswith("lfb-")][-1]
    assert failed.stderr.rstrip().endswith(line), "more than one line"
    return line


@pytest.mark.slow
def test_no_command_runs_what_a_checkpoint_names(workplace, attacks, tmp_path, pipeline):
    proof, nodes = attacks
    run = f"hydra.run.dir={tmp_path / 'run'}"
    loss = stored.with_sections(tmp_path / "loss.ckpt", loss=nodes[0])
    line = refusal(workplace, "test", f"ckpt_path={loss}", run)
    assert f"checkpoint {loss}: loss._target_ is 'pandas.read_pickle'" in line
    model = stored.with_sections(tmp_path / "model.ckpt", model=nodes[1])
    for command, *arguments in (
        ("test", f"ckpt_path={model}", run),
        ("extract", f"ckpt_path={model}", run),
        ("bank", "verify", f"folder={pipeline.bank_dir / 'val'}", f"ckpt_path={model}"),
    ):
        assert f"checkpoint {model}: model._target_ is 'torch.hub.load'" in refusal(workplace, command, *arguments)
    assert "no known layout" in refusal(workplace, "import_weights", f"src={model}", f"out={tmp_path / 'out.ckpt'}")
    assert not proof.exists()


@pytest.mark.slow
def test_training_does_not_stumble_over_what_is_no_checkpoint(workplace, tmp_path):
    run = f"hydra.run.dir={tmp_path / 'run'}"
    training = ["experiment=mini_ava", "data.last_second=920", "backbone.base_channels=4", "fbo=none", run]
    laughs = stored.write(tmp_path / "laughs.ckpt", config="a: &a [x]\nb: [*a, *a]\n")
    for key in ("init_from", "backbone.weights"):
        line = refusal(workplace, "train", *training, f"{key}={laughs}")
        assert f"checkpoint {laughs}: its configuration has an anchor" in line
    path = stored.write(tmp_path / "callbacks.ckpt", callbacks=[1])
    line = refusal(workplace, "train", *training, f"ckpt_path={path}")
    assert f"checkpoint {path}: callbacks is of type list" in line


@pytest.mark.slow
def test_a_stored_folder_receives_nothing(workplace, tmp_path):
    config = stored.config()
    bank = config["bank"] | {"dir": str(tmp_path / "planted"), "on_error": "${oc.env:HOME}"}
    path = stored.with_sections(tmp_path / "planted.ckpt", bank=bank)
    typed = ("extract", f"ckpt_path={path}", "split=val", f"hydra.run.dir={tmp_path / 'run'}")
    line = refusal(Console(workplace.folder), *typed)  # here, the tests' own type checks would speak first
    assert "bank.on_error is '${oc.env:HOME}'" in line
    path = stored.with_sections(tmp_path / "planted.ckpt", bank=bank | {"on_error": "stop"})
    arguments = [f"ckpt_path={path}", "split=val", "data.last_second=903", f"hydra.run.dir={tmp_path / 'run'}"]
    workplace("extract", *arguments, f"paths.bank_dir={tmp_path / 'mine'}", "experiment=mini_ava")
    workplace("extract", *arguments, f"bank.dir={tmp_path / 'typed'}")
    assert not (tmp_path / "planted").exists()
    assert [len(FeatureBank.open(tmp_path / name / "val").keyframes()) > 0 for name in ("mine/fp16", "typed")] == [
        True
    ] * 2


@pytest.mark.slow
def test_a_trusted_package_of_the_working_directory(workplace, tmp_path):
    """Through the console script, which does not look in the working directory by itself."""
    (tmp_path / "own_losses").mkdir()
    (tmp_path / "own_losses" / "__init__.py").write_text(
        "from lfb_lightning.models import MultiLabelLoss\nclass Loss(MultiLabelLoss):\n    pass\n"
    )
    (tmp_path / "data").symlink_to(workplace.folder / "data")
    path = stored.with_sections(tmp_path / "own.ckpt", loss={"_target_": "own_losses.Loss"})
    script = Path(sys.executable).with_name("lfb-test")
    command = [str(script), f"ckpt_path={path}", "data.last_second=903", "hydra.run.dir=run"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    untrusted, trusted = (
        subprocess.run([*command, *more], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        for more in ([], ["trusted_packages=[own_losses]"])
    )
    assert untrusted.returncode == 1
    assert "loss._target_ is 'own_losses.Loss'" in untrusted.stderr
    assert "trusted_packages=[own_losses]" in untrusted.stderr
    assert trusted.returncode == 0, trusted.stderr[-3000:]
    assert (tmp_path / "run" / "results.csv").is_file()


@pytest.mark.parametrize(
    "change",
    [
        {"base_channels": 100_000},
        {"base_channels": 10**12},
        {"stage_blocks": [10**9, 1]},
        {"stem_temporal_kernel": 10**8},
    ],
)
def test_a_model_that_the_weights_do_not_fill_takes_no_memory(tmp_path, change):
    model = stored.config()["model"]
    refuse_without_memory(tmp_path / "x.ckpt", model | {"backbone": model["backbone"] | change})


@pytest.mark.parametrize(
    "backbone",
    [
        {"_target_": "MViT", "stage_blocks": [10**9], "embed_dims": 8},
        {"_target_": "MViT", "stage_blocks": [1] * 10**5, "embed_dims": 8},
        {"_target_": "MViT", "image_size": 64 * 10**6, "embed_dims": 8},
        {"_target_": "MViT", "num_frames": 2 * 10**8, "embed_dims": 8},
        {"_target_": "VisionTransformer", "depth": 10**9, "embed_dims": 16, "num_heads": 1},
        {"_target_": "VisionTransformer", "num_frames": 2 * 10**8, "embed_dims": 16, "num_heads": 1},
        {"_target_": "VJEPA2", "depth": 10**9, "embed_dims": 16, "num_heads": 1},
        {"_target_": "Swin3d", "window_size": [20, 30, 25], "embed_dims": 12},
        {"_target_": "Swin3d", "num_heads": [10**6] * 4, "embed_dims": 12},
        {"_target_": "Swin3d", "depths": [10**9], "num_heads": [1], "embed_dims": 12},
        {"_target_": "SlowFast", "stage_blocks": [10**9, 1, 1, 1], "base_channels": 4, "fast_base_channels": 1},
        {"_target_": "SlowFast", "depth": 50, "slow_temporal_kernels": [1] * 10**5},
    ],
)
def test_a_backbone_of_enormous_numbers_takes_no_memory(tmp_path, backbone):
    model = stored.config()["model"]
    named = {**backbone, "_target_": f"lfb_lightning.models.{backbone['_target_']}"}
    refuse_without_memory(tmp_path / "x.ckpt", model | {"backbone": named})


def test_a_feature_bank_operator_of_enormous_numbers_takes_no_memory(tmp_path):
    fbo = {"_target_": "lfb_lightning.models.FBOCrossAttention", "_partial_": True, "latent_channels": 8}
    refuse_without_memory(tmp_path / "x.ckpt", stored.config()["model"] | {"fbo": fbo | {"cells": 10**8}})


def refuse_without_memory(path, model):
    stored.with_sections(path, model=model)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InputError, match=rf"^checkpoint {path}: ") as refused:
        load_detector(path)
    assert "\n" not in str(refused.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes


@pytest.mark.parametrize(
    "entries",
    [
        {"state_dict": [1]},
        {"state_dict": {5: torch.zeros(1)}},
        {"state_dict": {"detector.head.weight": "text"}},
        {"hyper_parameters": {"config": [1]}},
        {"hyper_parameters": {"config": torch.zeros(2)}},
        {"hyper_parameters": [1]},
        {"hyper_parameters": {"config": "model: {}\n"}},
        {"hyper_parameters": {"config": "loss: {}\n"}},
        {"hyper_parameters": {"config": "model: 5\n"}},
    ],
)
def test_other_content_is_one_line(tmp_path, entries):
    path = stored.write(tmp_path / "x.ckpt", **entries)
    with pytest.raises(InputError, match=rf"^checkpoint {path}") as refused:
        load_detector(path)
    assert "\n" not in str(refused.value)


def test_what_a_checkpoint_brings_is_said_key_by_key():
    config = {name: stored.config()[name] for name in ("data", "bank", "task", "loss")}
    typed = sections_of(config, "data.fps=25.0")
    assert set(typed.stored) == set(config)
    equal = {name: typed.content()[name] for name in config}
    same = sections_of(equal, "data.fps=25.0")
    changed = {**equal, "loss": {**equal["loss"], "focal_gamma": 2.0}, "data": {**equal["data"], "num_frames": 9}}
    said = set(sections_of(changed, "data.fps=25.0").differences()) - set(same.differences())
    assert said == {"loss.focal_gamma=2.0", "data.num_frames=9"}
    assert sections_of(config, "experiment=mini_ava").differences() == []
