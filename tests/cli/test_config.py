"""Every option of every group composes, and binds to the signature of what it names."""

import inspect
from pathlib import Path

import hydra
import pytest
from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_class, get_object
from omegaconf import OmegaConf

from lfb_lightning.bank import BankConfig
from lfb_lightning.cli.conf_dir import conf_dir
from lfb_lightning.data import AvaData

CONF = conf_dir()
PRIMARIES = ["train", "test", "extract"]
OPTIONS = sorted(
    (path.parent.name, path.stem)
    for path in CONF.glob("*/*.yaml")
    if path.parent.name not in ("hydra", "experiment", "extraction", "lfb_bank")
)
EXPERIMENTS = sorted(path.stem for path in CONF.glob("experiment/*.yaml"))
GIVEN = {  # arguments that the commands add
    "assemble_detector": set(),
    "DetectionTask": {"detector", "loss", "optimisation", "config_text"},
    "ExtractionTask": {"detector"},
    "Trainer": {"default_root_dir", "callbacks", "logger"},
    "Optimisation": set(),
    "SGD": {"params", "lr"},
    "AdamW": {"params", "lr"},
}


def compose(primary, *overrides):
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(CONF)):
        cfg = hydra.compose(primary, list(overrides), return_hydra_config=True)
    OmegaConf.set_readonly(cfg.hydra, False)
    cfg.hydra.runtime.output_dir = "run"
    HydraConfig.instance().set_config(cfg)
    content = OmegaConf.to_container(cfg, resolve=False)
    del content["hydra"]
    plain = OmegaConf.create(content)
    return OmegaConf.to_container(plain, resolve=True)


def nodes(value):
    if isinstance(value, dict):
        if "_target_" in value:
            yield value
        for item in value.values():
            yield from nodes(item)


def check_binds(cfg):
    for node in nodes(cfg):
        arguments = {key: value for key, value in node.items() if not (key.startswith("_") and key.endswith("_"))}
        try:
            target = get_class(node["_target_"])
        except ValueError:
            target = get_object(node["_target_"])
        name = node["_target_"].rsplit(".", 1)[1]
        missing = {"channels"} if node.get("_partial_") and name.startswith("FBO") else set()
        given = dict.fromkeys((GIVEN.get(name, set()) | missing) - arguments.keys())
        inspect.signature(target).bind(**arguments, **given)
    AvaData(**cfg["data"])
    BankConfig(**cfg["bank"])


@pytest.mark.parametrize("primary", PRIMARIES)
def test_primary_composes_and_binds(primary):
    check_binds(compose(primary))


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_composes_and_binds(group, option):
    primary = "test" if (group, option) in {("trainer", "inference"), ("callbacks", "progress")} else "train"
    check_binds(compose(primary, f"{group}={option}"))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("primary", PRIMARIES)
def test_every_experiment_composes_for_every_command(primary, experiment):
    check_binds(compose(primary, f"experiment={experiment}"))


def test_the_headline_overrides_work_together():
    cfg = compose("train", "fbo=nl", "fbo.num_layers=3", "bank=fp32", "trainer.devices=8", "bank.window_seconds=30")
    assert cfg["model"]["fbo"]["num_layers"] == 3
    assert cfg["trainer"]["devices"] == 8
    assert (cfg["bank"]["precision"], cfg["bank"]["dir"]) == ("fp32", "banks/fp32")


BASES = [
    path for path in sorted(CONF.glob("*/*.yaml")) if "defaults:" not in path.read_text() and path.parent.name != "help"
]


@pytest.mark.parametrize("path", [*BASES, *(CONF / f"{name}.yaml" for name in PRIMARIES)], ids=lambda path: path.stem)
def test_keys_are_documented_where_they_stand(path):
    if path.parent.name in ("trainer", "callbacks", "logger", "peer_behaviour"):
        return  # Lightning's own arguments, and keys of other groups
    for line in path.read_text().splitlines():
        key = line.split(":")[0]
        if key.isidentifier() and not key.startswith("_") and key not in ("defaults", "hydra"):
            assert "#" in line, f"{path.name}: {line}"


def test_conf_dir_is_the_checkouts():
    assert Path(__file__).parents[2] / "conf" == CONF
