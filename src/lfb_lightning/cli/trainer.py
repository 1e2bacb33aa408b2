"""Building the trainer, its callbacks and loggers; Lightning's complaints about its settings become one-line errors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from omegaconf import DictConfig
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.accelerators import CPUAccelerator
from pytorch_lightning.callbacks import Checkpoint, DeviceStatsMonitor, LearningRateMonitor, ProgressBar
from pytorch_lightning.strategies.launchers import _MultiProcessingLauncher
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from lfb_lightning.cli.building import build
from lfb_lightning.cli.sections import build_with
from lfb_lightning.errors import InputError
from lfb_lightning.lightning.callbacks.durable_checkpoints import DurableCheckpoints

_SHOWN = ("accelerator", "devices", "num_nodes", "strategy", "precision")
_PROCESSES_PER_CORE = 4  # beyond this, more processes only take memory


def build_callbacks(cfg: DictConfig, **given: Any) -> list[Callback]:
    """Build the callbacks of a configuration, without those that are set to null; none with `~callbacks`.

    Args:
        cfg: The composed configuration.
        given: What the command gives to callbacks that are `_partial_`.

    Raises:
        InputError: A `_partial_` callback does not take just that.
    """
    made = []
    for name, node in (cfg.get("callbacks") or {}).items():
        if node is None:
            continue
        try:
            made.append(build_with(node, **given) if node.get("_partial_") else build(node))
        except TypeError as error:
            raise InputError(
                f"callbacks.{name}: {error}; this command gives it {', '.join(given) or 'nothing'}."
            ) from error
    return made


def build_trainer(cfg: DictConfig, run_dir: Path, callbacks: list[Callback], *, logging_on: bool) -> Trainer:
    """Build the trainer.

    Args:
        cfg: The composed configuration.
        run_dir: The folder below which Lightning writes.
        callbacks: The callbacks; those for something that is switched off (such as the progress bar) are left out.
        logging_on: Whether the configured loggers are used.

    Raises:
        InputError: Lightning refuses a setting, or there is no such device.
    """
    for key in ("callbacks", "default_root_dir"):
        if key in cfg.trainer:
            raise InputError(f"trainer.{key} is set by the command: see the callbacks group and hydra.run.dir.")
    logging_on = logging_on and cfg.trainer.get("logger") is not False
    nodes = (cfg.get("logger") or {}).values() if logging_on else []
    loggers = [build(node) for node in nodes if node is not None]
    idle = _idle_callbacks(cfg, logs=bool(loggers))
    wanted = [callback for callback in callbacks if not isinstance(callback, idle)]
    parts = {"default_root_dir": str(run_dir), "callbacks": wanted, "logger": loggers or False}
    if cfg.trainer.get("plugins") is None:
        parts["plugins"] = [DurableCheckpoints()]
    with telling_misconfiguration(cfg, ImportError, TypeError, ValueError):
        trainer: Trainer = build_with(cfg.trainer, **parts)
    _refuse_untried(trainer)
    return trainer


@contextmanager
def telling_misconfiguration(cfg: DictConfig, *more: type[Exception]) -> Iterator[None]:
    """Turn Lightning's exceptions about settings, and `more` kinds of exceptions, into an InputError with the settings."""
    try:
        yield
    except Exception as error:
        if isinstance(error, InputError) or not isinstance(error, (MisconfigurationException, *more)):
            raise
        settings = ", ".join(f"{name}={cfg.trainer.get(name)}" for name in _SHOWN)
        raise InputError(f"trainer: {' '.join(str(error).split())} (with {settings})") from error


def _idle_callbacks(cfg: DictConfig, *, logs: bool) -> tuple[type[Callback], ...]:
    """Return the kinds of callbacks that Lightning would refuse, since what they are for is switched off."""
    idle: list[type[Callback]] = []
    if cfg.trainer.get("enable_progress_bar") is False:
        idle.append(ProgressBar)
    if cfg.trainer.get("enable_checkpointing") is False:
        idle.append(Checkpoint)
    if not logs:
        idle += [LearningRateMonitor, DeviceStatsMonitor]
    return tuple(idle)


def _refuse_untried(trainer: Trainer) -> None:
    """Raise InputError for settings with which a run would start and then fail, or overload the machine."""
    if isinstance(trainer.strategy.launcher, _MultiProcessingLauncher):
        raise InputError(
            "trainer.strategy starts its processes as copies of this one, which is not supported, expected ddp."
        )
    most = _PROCESSES_PER_CORE * (os.cpu_count() or 1)
    if isinstance(trainer.accelerator, CPUAccelerator) and trainer.num_devices > most:
        raise InputError(
            f"trainer.devices is {trainer.num_devices}, expected at most {most}, four processes for each core of the CPU."
        )
