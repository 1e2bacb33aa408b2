"""`fbo.banks`: the banks that a detector reads side by side, before and after their manifests have been looked at."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, cast

import torch
from omegaconf import DictConfig, OmegaConf

from lfb_lightning.bank import BankConfig, FeatureBank
from lfb_lightning.cli.sections import Sections
from lfb_lightning.errors import InputError
from lfb_lightning.lightning import ActionDataModule
from lfb_lightning.models import ActionDetector
from lfb_lightning.models.fbo.several import MAIN, bank_widths

_log = logging.getLogger(__name__)


def settle_banks(cfg: DictConfig) -> None:
    """Write into the configuration how wide the banks of `fbo.banks` are, so that its checkpoints load without a bank.

    Args:
        cfg: The composed configuration; `fbo.banks` becomes the width of each bank by name.

    Raises:
        InputError: A bank is not there, or not as wide as the configuration says.
    """
    named = OmegaConf.select(cfg, "model.fbo.banks")
    if named is None:
        return
    config: BankConfig = Sections(cfg).make("bank", BankConfig)
    widths = {}
    for name, given in bank_widths(OmegaConf.to_container(named) if OmegaConf.is_config(named) else named).items():
        if name == MAIN and MAIN in config.others:
            raise InputError(
                f"fbo.banks: {MAIN} is the bank of bank.dir, but bank.others has one of that name too; call that otherwise."
            )
        bank = FeatureBank.open(config.folder_to_read("train", None if name == MAIN else name))
        if given not in (None, bank.channels):
            raise InputError(
                f"fbo.banks.{name} is {given}, but the features of bank {bank.folder} have {bank.channels} channels; leave "
                f"the width out: fbo.banks=[{name}, ...]."
            )
        widths[name] = bank.channels
    OmegaConf.update(cfg.model.fbo, "banks", widths, merge=False)


def give_statistics(detector: ActionDetector, datamodule: ActionDataModule) -> None:
    """Give the FBO, if it wants them, the statistics of each training bank that it reads, and of the detector's own."""
    if not detector.needs_bank_statistics:
        return
    for name, bank in datamodule.banks.read(datamodule.split("train")).items():
        detector.set_bank_statistics(torch.tensor(bank.manifest.mean), torch.tensor(bank.manifest.std), name)
    if not detector.needs_short_term_statistics:
        return
    try:
        own = datamodule.banks.own(datamodule.split("train")).manifest
    except InputError as error:
        _log.info(
            "fbo.norm_inputs: the short-term feature is not standardized, for want of a bank of its own: %s", error
        )
    else:
        cast(Any, detector.fbo).set_short_term_statistics(torch.tensor(own.mean), torch.tensor(own.std))


def made_by(datamodule: ActionDataModule) -> dict[str, Any]:
    """Say, for the checkpoint, which backbone made the bank of training, or each of the banks."""
    banks = datamodule.banks.read(datamodule.split("train")) if datamodule.reads_bank else {}
    found = {name: bank.manifest.provenance.backbone_digest for name, bank in banks.items()}
    if datamodule.banks.names is None:
        return {"bank_backbone": found.get(None)}
    return {"bank_backbone": None, "bank_backbones": found}


def backbones_of_banks(detector: ActionDetector) -> dict[str, str]:
    """Read from a loaded detector's configuration which backbones made the banks of its training; of a new one none."""
    told: Any = (detector.stored_config or {}).get("trained_on")
    told = told.get("bank_backbones") if isinstance(told, Mapping) else None
    if not isinstance(told, Mapping):
        return {}
    return {name: digest for name, digest in told.items() if isinstance(name, str) and isinstance(digest, str)}
