"""`lfb-train`: train a detector and leave a run folder."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from itertools import count
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from pytorch_lightning.utilities import rank_zero_only

from lfb_lightning.cli.app import launch, write_config
from lfb_lightning.cli.building import build, build_detection, settle_backbone, settle_columns, settle_process
from lfb_lightning.cli.first_data import provide_data, refuse_without_data
from lfb_lightning.cli.overfit import overfit
from lfb_lightning.cli.sections import Sections, refuse_unloadable
from lfb_lightning.cli.several_banks import give_statistics, made_by, settle_banks
from lfb_lightning.cli.trainer import build_callbacks, build_trainer, telling_misconfiguration
from lfb_lightning.cli.training_end import is_summed_up, write_summary
from lfb_lightning.cli.trust import trusted_packages
from lfb_lightning.datasets.bank_split import entries_of, spacing_of
from lfb_lightning.errors import InputError
from lfb_lightning.files.plain_yaml import write_plain
from lfb_lightning.lightning import ActionDataModule
from lfb_lightning.lightning.callbacks.agreed_start import AgreedStart
from lfb_lightning.lightning.callbacks.best_evaluation import BestEvaluation
from lfb_lightning.lightning.callbacks.fingerprinting import FrameFingerprint
from lfb_lightning.lightning.callbacks.node_watch import telling_lost_nodes
from lfb_lightning.lightning.callbacks.resuming import Resuming
from lfb_lightning.lightning.callbacks.step_seeds import StepSeeds
from lfb_lightning.lightning.modules.detection import logged_figures
from lfb_lightning.models import ActionDetector
from lfb_lightning.models.loading import Start, load_backbone, start_from

_MAIN_FIGURE = "main_figure"  # what a callback of conf/ monitors that is for any data set
_log = logging.getLogger(__name__)


def train(cfg: DictConfig, run_dir: Path) -> int:
    """Train as configured.

    Args:
        cfg: The composed configuration.
        run_dir: The run folder.

    Returns:
        The exit status.
    """
    provide_data(cfg)
    refuse_without_data(cfg)
    settle_process(cfg)
    refuse_unloadable(cfg, trusted_packages(cfg))
    settle_columns(cfg)
    settle_banks(cfg)
    settle_backbone(cfg)
    config_text = write_config(cfg, run_dir)
    detector: ActionDetector = build(cfg.model)
    starts: list[Start] = []
    if (weights := OmegaConf.select(cfg, "model.backbone_weights")) is not None:
        starts.append(load_backbone(detector.backbone, weights))
        _log.info("%s", starts[-1].text)
    if cfg.init_from is not None:
        starts.append(start_from(detector, cfg.init_from))
        _log.info("%s", starts[-1].text)
    origins = [dict(origin) for start in starts for origin in start.origins]
    task, datamodule = build_detection(Sections(cfg), detector, config_text, split="val")
    trained_on = _trained_on(datamodule) | {"began_with": origins}
    task.config_text += write_plain({"trained_on": trained_on})  # both are mappings in YAML's block style
    give_statistics(detector, datamodule)
    if cfg.get("overfit") is not None:
        return overfit(cfg, run_dir, task, datamodule)
    splits = [datamodule.split(name) for name in ("train", "val")]
    fingerprints = FrameFingerprint(splits, datamodule.clips.sampling)
    best = BestEvaluation(task.summary)
    callbacks = [*build_callbacks(cfg), best, fingerprints, StepSeeds(cfg.seed)]
    _settle_monitors(callbacks, logged_figures(task.evaluator))
    resumed = _resume_path(cfg, run_dir)
    callbacks.append(AgreedStart(resumed))
    resuming = None if resumed is None else Resuming(resumed)
    if resuming is not None:
        _keep_earlier_log(run_dir)
        callbacks.append(resuming)
    trainer = build_trainer(cfg, run_dir, callbacks, logging_on=True)
    _warn_of_partial_validation(trainer)
    if not starts and resumed is None:
        _warn_of_random_weights(cfg)
    naming = resuming.naming_the_file() if resuming is not None else nullcontext()
    with telling_misconfiguration(cfg), naming, telling_lost_nodes(trainer):
        trainer.fit(task, datamodule, ckpt_path=resumed, weights_only=True)
    if task.figures is None and resumed is not None and not is_summed_up(run_dir, trainer.global_step):
        with telling_lost_nodes(trainer):  # it had been killed between its last step and its summary
            trainer.validate(task, datamodule, verbose=False)
    if trainer.is_global_zero and (task.figures is not None or not is_summed_up(run_dir, trainer.global_step)):
        write_summary(trainer, task, best, run_dir)
    return 0


@rank_zero_only
def _warn_of_partial_validation(trainer: Trainer) -> None:
    limit = trainer.limit_val_batches  # a whole number counts batches, a fraction is a share of them
    if limit and not (isinstance(limit, float) and limit == 1.0):
        _log.warning(
            "trainer.limit_val_batches=%s: of AVA, what the validation leaves out counts as missed in the mAP, which is so "
            "much lower; of other data sets the figures are those of a part.",
            limit,
        )


@rank_zero_only
def _warn_of_random_weights(cfg: DictConfig) -> None:
    kept = [
        key for key in ("backbone.freeze_batch_norm", "model.frozen_backbone") if OmegaConf.select(cfg, key) is True
    ]
    if kept:
        _log.warning(
            "the backbone begins with random weights, and %s=true keeps what should have been loaded: set "
            "backbone.weights to a file of pretrained weights (docs/zoo.md), or init_from to a checkpoint.",
            kept[0],
        )


def _trained_on(datamodule: ActionDataModule) -> dict[str, Any]:
    """Describe the training data for who applies the checkpoint elsewhere: names, clock, and what made the bank."""
    split = datamodule.split("train")
    columns, spacing = split.columns(), spacing_of(split)
    return {
        "actions": {int(column): str(name) for column, name in (columns.names or {}).items()},
        "has_background": columns.has_background,
        "ticks_per_second": str(split.clock.ticks_per_second),
        **made_by(datamodule),
        **({"spacing": spacing[0]} if spacing else {}),
        **({"entries": entries} if (entries := entries_of(split)) != "persons" else {}),
    }


def _settle_monitors(callbacks: list[Callback], figures: list[str]) -> None:
    """Let callbacks that wait for the main figure wait for the first one.

    Raises:
        InputError: A callback waits for a figure that is never logged: it would end the first epoch.
    """
    for callback in callbacks:
        if getattr(callback, "monitor", None) == _MAIN_FIGURE:
            vars(callback)["monitor"] = figures[0]
        if isinstance(callback, ModelCheckpoint | EarlyStopping) and callback.monitor not in (None, *figures):
            kind = type(callback).__name__
            raise InputError(f"{kind}.monitor is {callback.monitor}, expected one of {', '.join(figures)}.")


@rank_zero_only
def _keep_earlier_log(run_dir: Path) -> None:
    """Put the csv log of the run's earlier part aside: the logger begins its file anew."""
    path = run_dir / "logs" / "metrics.csv"
    if path.is_file():
        number = next(number for number in count(1) if not path.with_name(f"metrics_{number}.csv").exists())
        path.rename(path.with_name(f"metrics_{number}.csv"))


def _resume_path(cfg: DictConfig, run_dir: Path) -> str | None:
    if cfg.ckpt_path is None:
        return None
    own = run_dir / "checkpoints" / "last.ckpt"
    if cfg.ckpt_path == "auto" and not own.is_file():
        return None
    path = own if cfg.ckpt_path in ("last", "auto") else Path(cfg.ckpt_path)
    if not path.is_file():
        raise InputError(
            f"ckpt_path={cfg.ckpt_path}: there is no {path}; to resume a run give its folder too, "
            "hydra.run.dir=<run> ckpt_path=last."
        )
    return str(path)


def main() -> None:
    """Run `lfb-train` with the arguments that the user typed."""
    launch("train", train)


if __name__ == "__main__":
    main()
