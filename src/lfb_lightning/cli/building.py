"""Builds the objects that a configuration names."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import seed_everything

from lfb_lightning.bank import BankConfig
from lfb_lightning.cli.data_section import Data
from lfb_lightning.cli.fitting import refuse_other_columns, refuse_other_labels
from lfb_lightning.cli.sections import Sections, adopt
from lfb_lightning.cli.several_banks import backbones_of_banks
from lfb_lightning.cli.trust import trusted_packages
from lfb_lightning.clips import ClipSettings
from lfb_lightning.datasets import ScoreColumns
from lfb_lightning.errors import InputError
from lfb_lightning.lightning import ActionDataModule, DetectionTask
from lfb_lightning.lightning.known_messages import hush_known_messages
from lfb_lightning.models import ActionDetector, state_digest
from lfb_lightning.models.compiling import compile_detector
from lfb_lightning.models.hub_weights import fetch_file
from lfb_lightning.models.loading import read_any
from lfb_lightning.models.stored_objects import StoredObjects
from lfb_lightning.processes import is_first_rank

# What decides a clip's pixels, except for the frame rate, which is the data's own.
_CLIPS = ("num_frames", "frame_stride", "frame_shift", "frame_spacing", "eval_short_side", "resize", "mean", "std")
_log = logging.getLogger(__name__)
T = TypeVar("T")


def settle_process(cfg: DictConfig) -> None:
    """Set seeds, threads and arithmetic of this process; to be called before anything is computed."""
    if not 0 <= cfg.seed < 2**32:
        raise InputError(f"seed is {cfg.seed}, expected 0 to {2**32 - 1}.")
    hush_known_messages()
    seed_everything(cfg.seed, workers=True, verbose=False)
    if cfg.num_threads is not None:
        torch.set_num_threads(cfg.num_threads)
    # As actions are learned, their gradients fall below 1e-38, where CPUs compute a hundred times slower: a backward pass
    # of the quickstart's FBO-NL took eight times as long by its second epoch.
    torch.set_flush_denormal(True)


def build(node: DictConfig) -> Any:
    """Instantiate a node; its plain parts become plain Python."""
    return instantiate(node, _convert_="all")


def settle_backbone(cfg: DictConfig) -> None:
    """Let the backbone's class, if it has `settled`, read what its section only names (`models.Backbone`)."""
    node = cfg.model.get("backbone")
    if not isinstance(node, DictConfig) or "_target_" not in node:
        return
    settled = getattr(get_object(node["_target_"]), "settled", None)
    if settled is None:
        return
    for key, value in settled(OmegaConf.to_container(node, resolve=True), fetch_file).items():
        if node.get(key) != value:
            OmegaConf.update(node, key, value, force_add=True)


def settle_columns(cfg: DictConfig) -> None:
    """Write the data set's score columns into what leaves them to it, so that a checkpoint is read without the data.

    Args:
        cfg: The composed configuration; `model.num_classes` and `loss.widths` are changed where they are null.
    """
    of_model, of_loss = cfg.model.get("num_classes", 1) is None, cfg.loss.get("widths", 1) is None
    if not (of_model or of_loss):
        return
    columns = Sections(cfg).data().dataset.split("train").columns()
    if of_model:
        cfg.model.num_classes = columns.number
    if of_loss:
        _set_widths(cfg, columns)


def settle_widths(sections: Sections, split: str) -> None:
    """Write how wide the data set's kinds of labels are into a composed loss that leaves it to the data set.

    Args:
        sections: The configuration, of which `loss.widths` is changed where it is null and no checkpoint's.
        split: A split of its data.
    """
    if "loss" not in sections.stored and sections.composed.loss.get("widths", 1) is None:
        _set_widths(sections.composed, sections.data().dataset.split(split).columns())


def _set_widths(cfg: DictConfig, columns: ScoreColumns) -> None:
    OmegaConf.update(cfg, "loss.widths", dict(columns.blocks or {"all": columns.number}))


def build_data(sections: Sections) -> tuple[Data, BankConfig]:
    """Build the data set and the bank's settings of a configuration."""
    return sections.data(), sections.make("bank", BankConfig)


def build_detection(
    sections: Sections, detector: ActionDetector, config_text: str, *, split: str
) -> tuple[DetectionTask, ActionDataModule]:
    """Build the task that trains a detector, or tests it on a split, and its data.

    Args:
        sections: The configuration.
        detector: What is trained or tested.
        config_text: Resolved configuration as YAML, which travels in checkpoints.
        split: What is evaluated.

    Raises:
        InputError: The parts do not fit each other.
    """
    cfg = sections.composed
    data, bank = build_data(sections)
    if data.loading.short_term == "bank" and not detector.frozen_backbone:
        raise InputError(
            "data.short_term=bank needs model.frozen_backbone=true: without pixels no backbone can be trained."
        )
    datamodule = ActionDataModule(
        data.dataset,
        clips=data.clips,
        loading=data.loading,
        bank=bank,
        seed=cfg.seed,
        channels=detector.bank_channels,
        reads_bank=detector.reads_bank,
        reads_identity=detector.reads_identity,
        bank_name=detector.bank_name,
        banks=detector.banks,
        own_channels=detector.channels,
        backbone_digest=state_digest(detector.backbone),
        trained_on=backbones_of_banks(detector),
        test_split=split,
    )
    evaluated = datamodule.split(split)
    columns = evaluated.columns()
    refuse_other_columns(sections, detector.num_classes, columns, split=split)
    if cfg.compile:
        compile_detector(detector)
    task: DetectionTask = sections.build(
        "task",
        detector=detector,
        loss=_build_loss(sections, detector, columns, split=split),
        optimization=build(cfg.optim),
        evaluator=lambda threshold: evaluated.evaluator(action_threshold=threshold),
        batch_size=data.loading.batch_size,
        num_training_batches=datamodule.num_training_batches,
        config_text=config_text,
    )
    if task.frozen_epochs and detector.frozen_backbone:
        raise InputError("task.frozen_epochs is for a backbone that is trained later, but model.frozen_backbone=true.")
    return task, datamodule


def _build_loss(sections: Sections, detector: ActionDetector, score_columns: ScoreColumns, *, split: str) -> Any:
    loss = sections.build("loss")
    if callable(set_background := getattr(loss, "set_background", None)):
        set_background(score_columns.has_background)
    columns = getattr(loss, "action_ids", None)
    if columns is not None and not (columns and all(0 <= one < detector.num_classes for one in columns)):
        raise InputError(
            f"loss.action_ids is {list(columns)}, expected action ids of 1 to {detector.num_classes - 1}; "
            "see data.classes and model.num_classes."
        )
    refuse_other_labels(loss, score_columns, split=split)
    return loss


def adopt_checkpoint(cfg: DictConfig, names: tuple[str, ...], *, writes_bank: bool = False) -> Sections:
    """Take sections of a command's configuration from the run that wrote `ckpt_path`.

    Args:
        cfg: The composed configuration.
        names: The sections.
        writes_bank: As `adopt` has it.
    """
    path = required_checkpoint(cfg)
    stored, _ = read_any(path)
    overrides = list(HydraConfig.get().overrides.task)
    if "data" in names and "data" not in stored and stored.get("made_by") is not None:
        take_clips(cfg, stored, overrides, source=f"checkpoint {path}")
    sections = adopt(
        cfg,
        stored,
        overrides,
        names,
        source=f"checkpoint {path}",
        trusted_packages=trusted_packages(cfg),
        writes_bank=writes_bank,
    )
    if is_first_rank() and (differences := sections.differences()):
        _log.info("as in the run that wrote %s: %s", path, "; ".join(differences))
    return sections


def take_clips(cfg: DictConfig, stored: Mapping[str, Any], overrides: Collection[str], *, source: str) -> None:
    """Cut the clips of the composed data set as a folder of `lfb-export` says, except for what is typed.

    Args:
        cfg: The composed configuration, whose section `data` is changed.
        stored: The folder's configuration, which is data.
        overrides: The command line's.
        source: How messages call the folder.
    """
    objects = StoredObjects(source=source)
    section = stored.get("clips") or {}
    own = {name: value for name, value in objects.plain(section, "clips").items() if name in _CLIPS}
    settings: ClipSettings = objects.call(ClipSettings, "clips", own)
    typed = {override.split("=", 1)[0].lstrip("+~") for override in overrides}
    taken = {name: getattr(settings, name) for name in own if f"data.{name}" not in typed}
    changed = {name: value for name, value in taken.items() if cfg.data.get(name) != value}
    for name, value in changed.items():
        OmegaConf.update(cfg, f"data.{name}", value, force_add=True)
    if is_first_rank() and changed:
        _log.info("as %s was trained: %s", source, ", ".join(f"data.{name}={value}" for name, value in changed.items()))


def required_checkpoint(cfg: DictConfig) -> Path:
    """Return `ckpt_path`; raises InputError, with the command that makes one, where it is not set."""
    if cfg.ckpt_path is None:
        raise InputError(
            "ckpt_path is not set: give the checkpoint of a trained detector, ckpt_path=<run>/checkpoints/best.ckpt; "
            "`lfb-train fbo=none` trains the baseline and makes one."
        )
    return Path(cfg.ckpt_path)
