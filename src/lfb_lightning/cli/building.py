"""Builds the objects that a configuration names."""

from __future__ import annotations

import inspect
import logging
from pathlib import Path
from typing import Any, TypeVar

import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import seed_everything

from lfb_lightning.bank import BankConfig
from lfb_lightning.cli.checking import check_arguments
from lfb_lightning.data import AvaData
from lfb_lightning.errors import InputError
from lfb_lightning.models import ActionDetector, FBONone, state_digest
from lfb_lightning.models.compiling import compile_detector
from lfb_lightning.models.loading import read_any
from lfb_lightning.tasks import AvaDataModule, DetectionTask

_log = logging.getLogger(__name__)
T = TypeVar("T")


def settle_process(cfg: DictConfig) -> None:
    """Seeds, threads and arithmetic of this process; to be called before anything is computed."""
    if not 0 <= cfg.seed < 2**32:
        raise InputError(f"seed is {cfg.seed}, expected 0 to {2**32 - 1}.")
    seed_everything(cfg.seed, workers=True, verbose=False)
    if cfg.num_threads is not None:
        torch.set_num_threads(cfg.num_threads)
    # As actions are learned, their gradients fall below 1e-38, where CPUs compute a hundred times slower: a backward pass
    # of the quickstart's FBO-NL took eight times as long by its second epoch.
    torch.set_flush_denormal(True)


def build(node: DictConfig) -> Any:
    """Instantiate a node; its plain parts become plain Python."""
    return instantiate(node, _convert_="all")


def build_data(cfg: DictConfig) -> tuple[AvaData, BankConfig]:
    """The data set and the bank of a configuration."""
    return build_data_only(cfg), _built("bank", cfg, BankConfig)


def build_data_only(cfg: DictConfig) -> AvaData:
    """The data set of a configuration without a bank."""
    return _built("data", cfg, AvaData)


def build_detection(
    cfg: DictConfig, detector: ActionDetector, config_text: str, *, test_split: str = "val"
) -> tuple[DetectionTask, AvaDataModule]:
    """The task that trains or tests a detector, and its data."""
    data, bank = build_data(cfg)
    if data.short_term == "bank" and not detector.frozen_backbone:
        raise InputError(
            "data.short_term=bank needs model.frozen_backbone=true: without pixels no backbone can be trained."
        )
    if cfg.task.frozen_epochs and detector.frozen_backbone:
        raise InputError("task.frozen_epochs is for a backbone that is trained later, but model.frozen_backbone=true.")
    datamodule = AvaDataModule(
        data,
        bank,
        seed=cfg.seed,
        channels=detector.channels,
        reads_bank=not isinstance(detector.fbo, FBONone),
        backbone_digest=state_digest(detector.backbone),
        test_split=test_split,
    )
    if cfg.compile:
        compile_detector(detector)
    task = build_with(
        cfg.task,
        detector=detector,
        loss=build(cfg.loss),
        optimisation=build(cfg.optim),
        class_groups=data.class_groups,
        config_text=config_text,
    )
    return task, datamodule


def build_with(node: DictConfig, **objects: Any) -> Any:
    """Instantiate a node with built objects as further arguments."""
    return instantiate(node, _convert_="all", _partial_=True)(**objects)


def adopt_checkpoint(cfg: DictConfig, overrides: list[str], sections: tuple[str, ...]) -> DictConfig:
    """Take sections of the configuration from the checkpoint's run, keeping what the command line sets.

    So `lfb-test ckpt_path=...` needs no more. A section chosen as a group (`data=...`), and all of them where an
    override changes what sections refer to (`paths.*`, `experiment=`), are as composed. Of `bank=...` only where and in
    which precision it is: its windows stay those that the detector was trained with.
    """
    stored, _ = read_any(required_checkpoint(cfg))
    names = {override.split("=", 1)[0].lstrip("+~") for override in overrides}
    if any(name == "experiment" or name.startswith("paths") for name in names):
        return cfg
    cfg = OmegaConf.create(OmegaConf.to_container(cfg, resolve=True))  # type: ignore[assignment]
    OmegaConf.set_struct(cfg, False)
    for section in sections:
        chosen = section in names
        if section not in stored or (chosen and section != "bank"):
            continue
        composed, cfg[section] = cfg[section], stored[section]
        if chosen:
            cfg[section].update({key: composed[key] for key in ("dir", "precision")})
        for name in names:
            if name.startswith(f"{section}."):
                key = name.removeprefix(f"{section}.")
                OmegaConf.update(cfg[section], key, OmegaConf.select(composed, key))
    return cfg


def required_checkpoint(cfg: DictConfig) -> Path:
    """`ckpt_path`; raises InputError, with the command that makes one, where it is not set."""
    if cfg.ckpt_path is None:
        raise InputError(
            "ckpt_path is not set: give the checkpoint of a trained detector, ckpt_path=<run>/checkpoints/best.ckpt; "
            "`lfb-train fbo=none` trains the baseline and makes one."
        )
    return Path(cfg.ckpt_path)


def _built(section: str, cfg: DictConfig, target: type[T]) -> T:
    """The plain value that a section without `_target_` describes."""
    arguments = _plain(cfg[section])
    check_arguments(section, arguments, target)
    missing = [
        name
        for name, parameter in inspect.signature(target).parameters.items()
        if parameter.default is parameter.empty and name not in arguments
    ]
    if missing:
        raise InputError(f"{section}.{missing[0]} is missing from the configuration, but is needed here.")
    return target(**arguments)


def _plain(node: DictConfig) -> dict[str, Any]:
    content = OmegaConf.to_container(node, resolve=True)
    assert isinstance(content, dict)
    return {str(key): value for key, value in content.items()}
