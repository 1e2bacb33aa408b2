"""Loggers for Weights & Biases and MLflow, set so that everything stays in the run folder unless told otherwise."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pytorch_lightning.loggers import MLFlowLogger, WandbLogger
from pytorch_lightning.loggers.logger import DummyLogger, Logger

from lfb_lightning.errors import InputError
from lfb_lightning.processes import is_first_rank

PROJECT = "lfb-lightning"
_WANDB_RUN = re.compile(r"(?:offline-)?run-\d{8}_\d{6}-(?P<id>[\w-]{1,128})")
_FOLDER_TAG = "lfb.run_folder"
_MLFLOW_URI = "MLFLOW_TRACKING_URI"


def wandb_logger(
    *,
    run_dir: str,
    ckpt_path: str | None = None,
    offline: bool = True,
    project: str = PROJECT,
    name: str | None = None,
    entity: str | None = None,
    group: str | None = None,
    tags: Sequence[str] = (),
    log_model: bool = False,
) -> Logger:
    """Make the logger for Weights & Biases, which keeps its files in `<run_dir>/wandb`.

    Args:
        run_dir: The run folder.
        ckpt_path: What training resumes from; with it, the W&B run that the folder holds goes on, under its id.
        offline: Whether nothing is sent; `wandb sync` sends it later.
        project: W&B project.
        name: The run's name; None: that of the run folder.
        entity: W&B user or team; None: the user's default.
        group: W&B group of runs.
        tags: W&B tags.
        log_model: Whether checkpoints are sent at the end, which needs `offline=False`.

    Returns:
        The logger; one that does nothing on every process but the first.

    Raises:
        InputError: wandb is not installed, or checkpoints are to be sent offline.
    """
    require("wandb", ["wandb"])
    if offline and log_model:
        raise InputError("logger.wandb.log_model=true sends checkpoints, which needs logger.wandb.offline=false.")
    if not is_first_rank():
        return DummyLogger()
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false" if offline else "true")  # of its own crashes, to its makers
    _silence_wandb()
    logger = WandbLogger(
        name=name or name_of(run_dir),
        save_dir=run_dir,
        offline=offline,
        id=_wandb_id(Path(run_dir)) if goes_on(run_dir, ckpt_path) else None,
        project=project,
        log_model=log_model,
        entity=entity,
        group=group,
        tags=list(tags),
        settings={"console": "off"},  # it would replace the process's output streams; the log is in the run folder
    )
    if not offline:
        _begin(logger, "wandb")
    return logger


def mlflow_logger(
    *,
    run_dir: str,
    ckpt_path: str | None = None,
    tracking_uri: str | None = None,
    project: str = PROJECT,
    name: str | None = None,
    log_model: bool = False,
) -> Logger:
    """Make the logger for MLflow, which keeps `mlflow.db` and `mlartifacts` in the run folder if there is no server.

    Args:
        run_dir: The run folder.
        ckpt_path: What training resumes from; with it, the folder's MLflow run goes on.
        tracking_uri: Address of a server; None: the variable `MLFLOW_TRACKING_URI`, or else the run folder.
        project: MLflow experiment.
        name: The run's name; None: that of the run folder.
        log_model: Whether checkpoints are stored too.

    Returns:
        The logger; one that does nothing on every process but the first.

    Raises:
        InputError: A package is not installed.
    """
    uri = tracking_uri or os.environ.get(_MLFLOW_URI)
    local = f"sqlite:///{Path(run_dir).absolute()}/mlflow.db"
    require("mlflow", ["mlflow"] if uri else ["mlflow", "sqlalchemy", "alembic"])
    if not is_first_rank():
        return DummyLogger()
    _silence_mlflow()
    Path(run_dir).mkdir(parents=True, exist_ok=True)
    folder = quote(str(Path(run_dir).absolute()), safe="/:\\ ")
    logger = MLFlowLogger(
        experiment_name=project,
        run_name=name or name_of(run_dir),
        tracking_uri=uri or local,
        tags={_FOLDER_TAG: folder},
        log_model=log_model,
        artifact_location=None if uri else f"{Path(run_dir).absolute()}/mlartifacts",
        run_id=_mlflow_id(uri or local, project, folder) if goes_on(run_dir, ckpt_path) else None,
    )
    kept = os.environ.get(_MLFLOW_URI)
    try:
        _begin(logger, "mlflow")
    finally:  # MLflow sets the variable for all, and the next run of this process would be kept in this one's folder
        os.environ.pop(_MLFLOW_URI, None)
        if kept is not None:
            os.environ[_MLFLOW_URI] = kept
    return logger


def name_of(run_dir: str | Path) -> str:
    """Name a run after its folder: the last part, and the one before for a sweep's job, whose folder is a number."""
    path = Path(run_dir).absolute()
    return f"{path.parent.name}-{path.name}" if path.name.isdecimal() else path.name


def goes_on(run_dir: str | Path, ckpt_path: str | None) -> bool:
    """Tell whether training resumes; `auto`, which every sweep's job has, only does where there is a checkpoint."""
    return ckpt_path is not None and (ckpt_path != "auto" or (Path(run_dir) / "checkpoints" / "last.ckpt").is_file())


def require(extra: str, packages: Sequence[str]) -> None:
    """Raise InputError, with the command that installs it, if a package of an extra is missing."""
    for package in packages:
        if find_spec(package) is None:
            raise InputError(
                f"logger={extra} needs {package}, which is not installed: pip install 'lfb-lightning[{extra}]'."
            )


def _begin(logger: Logger, key: str) -> None:
    """Begin the service's run now, so that a server that refuses it is known before anything is computed."""
    try:
        assert logger.experiment is not None  # type: ignore[attr-defined]
    except Exception as error:  # of the service, of its transport, of the store's file
        raise InputError(f"logger.{key}: {type(error).__name__}: {' '.join(str(error).split())[:300]}") from error


def _silence_wandb() -> None:
    """Leave out its banner, links and notices, from its start on; WANDB_SILENT=false shows them."""
    import wandb

    if os.environ.setdefault("WANDB_SILENT", "true") != "false":
        wandb.termsetup(wandb.Settings(silent=True), None)


def _silence_mlflow() -> None:
    """Leave out what is said about tables and experiments that are made, and the count of its users."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    from mlflow.tracking import MlflowClient  # sets the levels of mlflow's loggers

    assert MlflowClient is not None
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("pytorch_lightning.loggers.mlflow").setLevel(logging.ERROR)  # "not found. Creating it."


def _wandb_id(run_dir: Path) -> str | None:
    """Find the id of the newest W&B run in a run folder, whose name holds it after the time."""
    found = [match for path in (run_dir / "wandb").glob("*run-*") if (match := _WANDB_RUN.fullmatch(path.name))]
    newest = max(found, key=lambda match: match[0].removeprefix("offline-"), default=None)
    return None if newest is None else newest["id"]


def _mlflow_id(uri: str, project: str, folder: str) -> str | None:
    """Find the id of a folder's newest MLflow run."""
    from mlflow.tracking import MlflowClient

    client: Any = MlflowClient(uri)
    if (experiment := client.get_experiment_by_name(project)) is None:
        return None
    found = client.search_runs(
        [experiment.experiment_id],
        f"tags.`{_FOLDER_TAG}` = '{folder}'",
        max_results=1,
        order_by=["attributes.start_time DESC"],
    )
    return found[0].info.run_id if found else None
