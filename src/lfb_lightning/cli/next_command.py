"""Writing the command that follows on the one that was typed, ready to be copied."""

from __future__ import annotations

import shlex
from pathlib import Path

from hydra.core.hydra_config import HydraConfig

_OF_DATA = ("data", "paths")


def command_on_this_data(name: str, *more: str) -> str:
    """Write a training command for the data set that the running command was given.

    A typed experiment is kept; without one, an experiment that is called like the data set stands for it, since it says more.
    What was typed of `data` and `paths`, and the folders in which groups are looked for, is kept.

    Args:
        name: The command, such as `lfb-train`.
        *more: Further overrides.
    """
    settings = HydraConfig.get()
    option = str(settings.runtime.choices.get("data"))
    folders, options = [], []
    for source in settings.runtime.config_sources:
        if source.schema == "file":
            folders.append(Path(source.path))
        if source.provider == "command-line":
            options += ["--config-dir", _short(source.path)]
    options += [override for override in settings.overrides.hydra if override.startswith("hydra.searchpath")]
    has_experiment = any((folder / "experiment" / f"{option}.yaml").is_file() for folder in folders)
    typed = [override for override in settings.overrides.task if override.startswith(_OF_DATA)]
    experiments = [override for override in settings.overrides.task if override.startswith("experiment=")]
    if experiments:
        typed = [*experiments, *typed]
    elif has_experiment:
        typed = [f"experiment={option}", *(override for override in typed if not override.startswith("data="))]
    return shlex.join([name, *options, *typed, *more])


def _short(folder: str) -> str:
    """Name a folder below the working directory by its way from there."""
    path, here = Path(folder), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else folder
