"""What Hydra calls when a sweep begins and ends (`conf/hydra/callbacks/sweep_report.yaml`)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf, read_write


class SweepReport(Callback):
    """Writes `sweep.csv` and `sweep.png` when a sweep's last job has ended; a failed job makes the exit status 1."""

    def on_multirun_start(self, config: DictConfig, **_: Any) -> None:
        """Make the sweep's folder: a search keeps its study there."""
        Path(config.hydra.sweep.dir).mkdir(parents=True, exist_ok=True)
        if config.hydra.launcher._target_.endswith(".submitit_launcher.LocalLauncher"):
            _share_one_folder(config.hydra.launcher)

    def on_multirun_end(self, config: DictConfig, **_: Any) -> None:
        """Write the table; exit with 1 if a job failed."""
        # Hydra loads this module for every command, single runs too: what draws is loaded by sweeps alone.
        from lfb_lightning.cli.sweep_report import sweep_rows, write_report

        folder = Path(config.hydra.sweep.dir)
        rows = sweep_rows(folder)
        if not rows:
            return
        write_report(folder, rows)
        if any(row.state != "ok" for row in rows):
            sys.exit(1)


def _share_one_folder(launcher: DictConfig) -> None:
    """Have submitit's local jobs log into one folder; their files carry the job's number as it is.

    submitit makes a folder of the job's own only after it has started the job, whose first act is to open its log
    there: on a busy machine the job dies first.
    """
    folder = OmegaConf.to_container(launcher, resolve=False)["submitit_folder"]  # type: ignore[index, call-overload]
    with read_write(launcher):
        launcher.submitit_folder = str(folder).removesuffix("/%j")
