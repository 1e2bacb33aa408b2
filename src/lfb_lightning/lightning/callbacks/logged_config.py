"""Gives a run's resolved configuration to its loggers, so that runs can be compared by it."""

from __future__ import annotations

from pathlib import Path

from pytorch_lightning import Callback, LightningModule, Trainer

from lfb_lightning.files.plain_yaml import read_plain_mapping
from lfb_lightning.lightning.loggers.media import going_on, log_config


class LoggedConfig(Callback):
    """Logs `<run>/config.yaml`, which the command has written, to every logger that `log_config` knows."""

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the file and what it holds; what a logger refuses is a warning."""
        path = Path(trainer.default_root_dir) / "config.yaml"
        if trainer.is_global_zero and path.is_file():
            for logger in trainer.loggers:
                with going_on(f"{path.name} in {type(logger).__name__}"):
                    log_config(logger, path, read_plain_mapping(path.read_text(encoding="utf-8"), source=str(path)))
