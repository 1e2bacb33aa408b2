"""A Lightning logger for Trackio, which keeps its runs in a local SQLite file."""

from __future__ import annotations

import io
import os
from argparse import Namespace
from collections.abc import Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers.logger import Logger, rank_zero_experiment
from pytorch_lightning.utilities import rank_zero_only

from lfb_lightning.lightning.loggers.services import PROJECT, goes_on, name_of, require

_FOLDER = "TRACKIO_DIR"  # read by trackio when it is imported


class TrackioLogger(Logger):
    """Logs numbers, pictures and files to Trackio, in `<run_dir>/trackio` unless the variable `TRACKIO_DIR` is set.

    Trackio reads that variable once per process: later runs of a process are beside the first one's.

    Args:
        run_dir: The run folder.
        ckpt_path: What training resumes from; with it, the newest run of this name goes on.
        project: Trackio project.
        name: The run's name; None: that of the run folder.
        group: Trackio group of runs.
        space_id: A Hugging Face Space to send the run to; None: it stays here.

    Raises:
        InputError: trackio is not installed.
    """

    def __init__(
        self,
        *,
        run_dir: str,
        ckpt_path: str | None = None,
        project: str = PROJECT,
        name: str | None = None,
        group: str | None = None,
        space_id: str | None = None,
    ) -> None:
        super().__init__()
        require("trackio", ["trackio"])
        os.environ.setdefault(_FOLDER, f"{Path(run_dir).absolute()}/trackio")
        self._project = project
        self._run_name = name or name_of(run_dir)
        self._group = group
        self._space_id = space_id
        self._goes_on = goes_on(run_dir, ckpt_path)
        self._config: dict[str, Any] = {}
        self._run: Any = None

    @property
    def name(self) -> str:
        """The project of Trackio that the run is listed in."""
        return self._project

    @property
    def version(self) -> str:
        """Name of the run in its project."""
        return self._run_name

    @property
    def save_dir(self) -> str:
        """The folder in which Trackio keeps its database."""
        return os.environ[_FOLDER]

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The `trackio.Run`, which begins when something is logged first."""
        if self._run is None:
            import trackio

            with redirect_stdout(io.StringIO()):  # seven lines of what it is and how it is looked at
                self._run = trackio.init(
                    project=self._project,
                    name=self._run_name,
                    group=self._group,
                    space_id=self._space_id,
                    config=self._config,
                    resume="allow" if self._goes_on else "never",
                    embed=False,
                )
            self._goes_on = True  # should something be logged after the end
        return self._run

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace) -> None:
        """Keep the configuration, which is stored with the first numbers."""
        self._config |= params if isinstance(params, dict) else vars(params)
        if self._run is not None:
            self._run.config.update(self._config)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Log numbers at an optimizer step."""
        self.experiment.log(dict(metrics), step=step)

    @rank_zero_only
    def log_image(self, name: str, path: Path, step: int) -> None:
        """Log a picture, which is copied from its file."""
        import trackio

        self.experiment.log({name: trackio.Image(str(path))}, step=step)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Store what is still in memory, and end the run."""
        if self._run is not None:
            from trackio import context_vars

            with redirect_stdout(io.StringIO()):  # "Uploading", though it goes nowhere
                self._run.finish()
            context_vars.current_run.set(None)  # it would be finished again, in words, when the process ends
            self._run = None
