"""What loggers are given beside numbers: pictures, and the configuration as a file and as values to compare runs by.

Each function knows the loggers of `conf/logger` by their class and does nothing for others. A logger of one's own is added
with `log_picture.register(MyLogger)`, which takes a function of the same arguments.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import singledispatch
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pytorch_lightning.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from lfb_lightning.lightning.loggers.trackio import TrackioLogger

_log = logging.getLogger(__name__)


@singledispatch
def log_picture(logger: Logger, name: str, path: Path, step: int) -> None:
    """Log a picture; for a logger that shows none, such as CSV, the file in the run folder is all there is.

    Args:
        logger: Any logger.
        name: What the logger calls the picture, such as `pictures/overlay_1`.
        path: Its PNG file.
        step: Optimizer steps until now.
    """


@singledispatch
def log_config(logger: Logger, path: Path, content: Mapping[str, Any]) -> None:
    """Log the configuration of a run: its file, and its values where runs are compared by them.

    Args:
        logger: Any logger.
        path: The file, YAML.
        content: What the file holds.
    """


@log_picture.register(TensorBoardLogger)
def _(logger: TensorBoardLogger, name: str, path: Path, step: int) -> None:
    with Image.open(path) as picture:
        logger.experiment.add_image(name, np.asarray(picture.convert("RGB")), step, dataformats="HWC")


@log_config.register(TensorBoardLogger)
def _(logger: TensorBoardLogger, path: Path, content: Mapping[str, Any]) -> None:
    text = path.read_text(encoding="utf-8")
    logger.experiment.add_text(path.name, f"```yaml\n{text}\n```")


@log_picture.register(WandbLogger)
def _(logger: WandbLogger, name: str, path: Path, step: int) -> None:
    logger.log_image(name, [str(path)], step=step)


@log_config.register(WandbLogger)
def _(logger: WandbLogger, path: Path, content: Mapping[str, Any]) -> None:
    logger.log_hyperparams(dict(content))
    logger.experiment.log_artifact(str(path), name=f"config-{logger.experiment.id}", type="config")


@log_picture.register(MLFlowLogger)
def _(logger: MLFlowLogger, name: str, path: Path, step: int) -> None:
    logger.experiment.log_artifact(logger.run_id, str(path), str(Path(name).parent))


@log_config.register(MLFlowLogger)
def _(logger: MLFlowLogger, path: Path, content: Mapping[str, Any]) -> None:
    logger.experiment.log_artifact(logger.run_id, str(path))
    if not logger.experiment.get_run(logger.run_id).data.params:  # MLflow refuses other values for a run that goes on
        logger.log_hyperparams(dict(content))


@log_picture.register(TrackioLogger)
def _(logger: TrackioLogger, name: str, path: Path, step: int) -> None:
    logger.log_image(name, path, step)


@log_config.register(TrackioLogger)
def _(logger: TrackioLogger, path: Path, content: Mapping[str, Any]) -> None:
    logger.log_hyperparams(dict(content))
    logger.experiment.log_artifact(path, name=path.stem, type="config")


@contextmanager
def going_on(what: str) -> Iterator[None]:
    """Turn whatever is raised into a warning: hours of training are worth more than a picture.

    Args:
        what: What is being logged, for the warning.
    """
    try:
        yield
    except Exception as error:
        _log.warning("%s is left out: %s", what, " ".join(f"{type(error).__name__}: {error}".split())[:300])
