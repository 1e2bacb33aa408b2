"""Every option of every group composes, and binds to the signature of what it names."""

import inspect
from itertools import zip_longest
from pathlib import Path

import hydra
import pytest
from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_class, get_object
from omegaconf import OmegaConf

from lfb_lightning.bank import BankConfig
from lfb_lightning.cli.conf_dir import conf_dir
from lfb_lightning.cli.keys import KEYS
from lfb_lightning.cli.sections import Sections
from tests.cli.in_process import load

CONF = conf_dir()
PRIMARIES = ["train", "test", "extract"]
OPTIONS = sorted(
    (path.parent.name, path.stem)
    for path in CONF.glob("*/*.yaml")
    if path.parent.name not in ("hydra", "experiment", "extraction", "lfb_bank", "lfb_data", "persons")
)
DETECTORS = sorted(path.stem for path in CONF.glob("persons/*.yaml"))
EXPERIMENTS = sorted(path.stem for path in CONF.glob("experiment/*.yaml"))
OF_CLIPS = ("charades_", "epic")  # presets whose values and binding test_paper_presets has, every one
GIVEN = {  # arguments that the commands add
    "assemble_detector": set(),
    "DetectionTask": {
        "detector",
        "loss",
        "optimization",
        "evaluator",
        "batch_size",
        "num_training_batches",
        "config_text",
    },
    "ExtractionTask": {"detector"},
    "ExtractionProgress": {"data"},
    "Trainer": {"default_root_dir", "callbacks", "logger"},
    "Optimization": set(),
    "SGD": {"params", "lr"},
    "AdamW": {"params", "lr"},
    "CosineAnnealingLR": {"optimizer", "T_max"},
    "ConstantLR": {"optimizer"},
    "parameter_groups": {"detector"},
}


def compose(primary, *overrides, plain=True):
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        cfg = hydra.compose(primary, list(overrides), return_hydra_config=True)
    OmegaConf.set_readonly(cfg.hydra, False)
    cfg.hydra.runtime.output_dir = "run"
    HydraConfig.instance().set_config(cfg)
    content = OmegaConf.to_container(cfg, resolve=False)
    del content["hydra"]
    composed = OmegaConf.create(content)
    return OmegaConf.to_container(composed, resolve=True) if plain else composed


def nodes(value):
    if isinstance(value, dict):
        if "_target_" in value:
            yield value
        for item in value.values():
            yield from nodes(item)


def check_binds(cfg, command="train"):
    load("checking").check_config(OmegaConf.create(cfg), command)  # what we ship is not refused
    Sections(OmegaConf.create(cfg)).data()
    for node in nodes({key: value for key, value in cfg.items() if key != "data"}):
        arguments = {key: value for key, value in node.items() if not (key.startswith("_") and key.endswith("_"))}
        try:
            target = get_class(node["_target_"])
        except ValueError:
            target = get_object(node["_target_"])
        name = node["_target_"].rsplit(".", 1)[1]
        missing = {"channels"} if node.get("_partial_") and name.startswith("FBO") else set()
        if name.startswith("FBO"):
            arguments.pop("banks", None)  # the detector's
        given = dict.fromkeys((GIVEN.get(name, set()) | missing) - arguments.keys())
        inspect.signature(target).bind(**arguments, **given)
    BankConfig(**cfg["bank"])


@pytest.mark.parametrize("primary", PRIMARIES)
def test_primary_composes_and_binds(primary):
    check_binds(compose(primary), primary)
    assert {"paths", "data", "backbone", "fbo", "bank", "model", "loss", "optim", "task"} <= groups_of(primary).keys()


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_composes_and_binds(group, option):
    primary = "test" if (group, option) in {("trainer", "inference"), ("callbacks", "progress")} else "train"
    primary = "extract" if group in ("objects", "engine") else primary
    check_binds(compose(primary, f"{group}={option}"), primary)


@pytest.mark.parametrize("option", DETECTORS)
def test_every_detector_of_persons_composes_and_binds_with_the_defaults_of_its_class(option):
    cfg = compose("detect", f"persons={option}")
    load("checking").check_config(OmegaConf.create(cfg), "detect")
    section = cfg["persons"]
    parameters = dict(inspect.signature(get_class(section.pop("_target_"))).parameters)
    assert section.keys() == parameters.keys()  # every argument is a documented key
    for name, value in section.items():
        default = parameters[name].default
        required = default is inspect.Parameter.empty
        assert value is None if required else value == (list(default) if isinstance(default, tuple) else default)


@pytest.mark.parametrize("experiment", [name for name in EXPERIMENTS if not name.startswith(OF_CLIPS)])
def test_every_experiment_composes_and_binds(experiment):
    check_binds(compose("train", f"experiment={experiment}"), "train")


@pytest.mark.thorough  # what could differ from training is in the next test
@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("primary", ["test", "extract"])
def test_every_experiment_composes_for_every_command(primary, experiment):
    check_binds(compose(primary, f"experiment={experiment}"), primary)


@pytest.mark.parametrize("primary", ["test", "extract"])
def test_experiments_choose_of_groups_that_every_command_has(primary):
    chosen, sections = set(), set()
    for experiment in EXPERIMENTS:
        content = OmegaConf.to_container(OmegaConf.load(CONF / "experiment" / f"{experiment}.yaml"))
        entries = [next(iter(entry)) for entry in content.pop("defaults", []) if isinstance(entry, dict)]
        chosen |= {entry.removeprefix("override ").lstrip("/") for entry in entries}
        sections |= content.keys()
    assert len(chosen) > 5
    assert chosen <= groups_of(primary).keys()
    assert sections <= compose(primary).keys()
    for experiment in ("lfb_nl_videomae_vit_b", "slowfast_r50_8x8_cosine", "ava_original"):
        check_binds(compose(primary, f"experiment={experiment}"), primary)


def test_the_headline_overrides_work_together():
    cfg = compose("train", "fbo=nl", "fbo.num_layers=3", "bank=fp32", "trainer.devices=8", "bank.window_seconds=30")
    assert cfg["model"]["fbo"]["num_layers"] == 3
    assert cfg["trainer"]["devices"] == 8
    assert (cfg["bank"]["precision"], cfg["bank"]["dir"]) == ("fp32", "banks/fp32")


BASES = [
    path for path in sorted(CONF.glob("*/*.yaml")) if "defaults:" not in path.read_text() and path.parent.name != "help"
]


COMMON = CONF / "common" / "model_run.yaml"
COMPOSED = [COMMON, *(CONF / f"{name}.yaml" for name in PRIMARIES)]


@pytest.mark.parametrize("path", [*BASES, *COMPOSED], ids=lambda path: path.stem)
def test_keys_are_documented_where_they_stand(path):
    if path.parent.name in ("trainer", "callbacks", "logger", "reproduce"):
        return  # Lightning's own arguments, and keys of other groups
    for line in path.read_text().splitlines():
        key = line.split(":")[0]
        if key.isidentifier() and not key.startswith("_") and key not in ("defaults", "hydra"):
            assert "#" in line, f"{path.name}: {line}"


COMMANDS = sorted(
    str(path.relative_to(CONF).with_suffix(""))
    for folder in (CONF, CONF / "lfb_bank", CONF / "lfb_data")
    for path in folder.glob("*.yaml")
)
CHANGED = {bool: lambda value: not value, int: lambda value: value + 1, float: lambda value: value + 0.5}


def leaves(node, prefix=""):
    """Every key that holds a plain value or a list, with it."""
    for name, value in node.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{name}.")
        elif not name.startswith("_"):
            yield f"{prefix}{name}", value


def groups_of(command):
    """The groups that a command's configuration chooses from, with the option that it chooses."""
    entries = list(OmegaConf.load(CONF / f"{command}.yaml").get("defaults", []))
    if {"common": "model_run"} in entries:
        entries += OmegaConf.load(COMMON).defaults
    chosen = {str(key): value for entry in entries if OmegaConf.is_dict(entry) for key, value in entry.items()}
    return {key.removeprefix("/"): value for key, value in chosen.items() if not key.startswith("override")}


def raw(command, *overrides):
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        return OmegaConf.to_container(hydra.compose(command, list(overrides)), resolve=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_key_of_every_command_can_be_set(command):
    wanted = {
        key: CHANGED[type(value)](value) if type(value) in CHANGED else [] if isinstance(value, list) else "some text"
        for key, value in leaves(raw(command))
    }
    overrides = [f"{key}={str(value).lower() if isinstance(value, bool) else value}" for key, value in wanted.items()]
    assert dict(leaves(raw(command, *overrides))) == wanted


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_every_group_of_every_command_can_be_chosen(command):
    groups = [group for group in groups_of(command) if group != "experiment"]  # each is composed above
    options = [[(group, path.stem) for path in sorted((CONF / group).glob("*.yaml"))] for group in groups]
    for chosen in zip_longest(*options):  # one option of each group at once: a composition takes half a second
        overrides = [f'{group}="{option}"' for group, option in filter(None, chosen)]
        assert raw(command, *overrides) is not None, overrides


@pytest.mark.parametrize("command", COMMANDS)
def test_no_key_is_named_like_a_group(command):
    content = OmegaConf.to_container(OmegaConf.load(CONF / f"{command}.yaml"))
    # A section's keys have a dot, by which Hydra tells them from groups.
    plain = {key for key, value in content.items() if key not in ("defaults", "hydra") and not isinstance(value, dict)}
    assert plain & {path.name for path in CONF.iterdir() if path.is_dir()} == set(), "Hydra could not set it"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_key_of_a_command_has_a_type(command):
    folder, _, name = command.rpartition("/")
    name = folder.removeprefix("lfb_") or name
    plain = {key for key, value in raw(command).items() if not isinstance(value, dict)}
    assert plain <= KEYS[name].keys()


def test_conf_dir_is_the_checkouts():
    assert Path(__file__).parents[2] / "conf" == CONF
