"""The Hydra callback that reports a sweep at its end (`conf/hydra/callbacks/sweep_report.yaml`)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, read_write


class SweepReport(Callback):
    """Writes `sweep.csv` and `sweep.png` after a sweep's last job, and exits with status 1 if a job failed."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Make the sweep's folder, in which a search stores its study."""
        Path(config.hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
        if config.hydra.launcher._target_.endswith(".submitit_launcher.LocalLauncher"):
            _share_one_folder(config.hydra.launcher)

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Write the report; exits with status 1 if a job failed."""
        # Hydra imports this module for single runs too; only a sweep should pay for importing matplotlib.
        from lfb_lightning.cli.sweep_report import sweep_rows, write_report

        folder = Path(config.hydra.sweep.dir)
        rows = sweep_rows(folder)
        if not rows:
            return
        write_report(folder, rows)
        if any(row.state != "ok" for row in rows):
            sys.exit(1)


def _share_one_folder(launcher: DictConfig) -> None:
    """Make submitit's local jobs log into one folder; the names of their log files hold the job's number anyway.

    submitit would make a folder per job, but only after starting the job, which first of all opens its log file there: on a
    busy machine, the job fails before its folder exists.
    """
    unresolved = OmegaConf.to_container(launcher, resolve=False)
    assert isinstance(unresolved, dict)
    with read_write(launcher):
        launcher.submitit_folder = str(unresolved["submitit_folder"]).removesuffix("/%j")
