"""Runs a console command under Hydra: one clear message for a user's mistake, one process for a sweep's job."""

from __future__ import annotations

import difflib
import errno
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import ConfigCompositionException, HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lfb_lightning.cli.conf_dir import conf_dir
from lfb_lightning.cli.sweep_job import run_sweep_job
from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import write_durably
from lfb_lightning.files.plain_yaml import write_plain
from lfb_lightning.processes import end_when_asked, follow_starter, is_first_rank, wait_for_first_rank

_BAD_INPUT = 1
_TRACEBACK = "LFB_FULL_ERROR"
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES)
Job = Callable[[DictConfig, Path], int]
_PLUGIN_EXTRAS = {
    "hydra/launcher/joblib": "joblib",
    "hydra/launcher/submitit_local": "slurm",
    "hydra/launcher/submitit_slurm": "slurm",
    "hydra/launcher/ray": "ray",
    "hydra/sweeper/optuna": "search",
}


def launch(command: str, job: Job, *, module: str | None = None, config_name: str | None = None) -> None:
    """Run `job(config, run_dir)` for the configuration `<command>.yaml` and the command line; exits with its status.

    `module` is the name of the command's file here and `config_name` its configuration, where they are not the command's
    own.
    """
    config_name = config_name or command
    follow_starter()
    end_when_asked()
    logging.raiseExceptions = False  # no report of a log file on a full disk: what is written next ends the run
    # The user's wish, also for the other ranks and a sweep's jobs: they inherit what is set below.
    wants_traceback = os.environ.setdefault(_TRACEBACK, os.environ.get("HYDRA_FULL_ERROR", "0")) == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come here instead of being printed by Hydra
    statuses: list[int] = []

    @hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=config_name)
    def main(cfg: DictConfig) -> float | None:
        run_dir = Path(HydraConfig.get().runtime.output_dir)
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            status, score = run_sweep_job(module or command, run_dir)
            statuses.append(status)
            return score
        try:
            with _naming_full_disk():
                statuses.append(job(cfg, run_dir))
        except InputError as error:  # before Hydra wraps it in a report of its own
            if wants_traceback:
                raise
            print(f"{_prog(command)}: {error}", file=sys.stderr)
            statuses.append(_BAD_INPUT)
        return None

    try:
        with _naming_full_disk():  # Hydra's own files
            main()
    except (InputError, HydraException, OmegaConfBaseException) as error:
        if wants_traceback:
            raise
        cause = _root_cause(error)
        print(f"{_prog(command)}: {_explain(cause, command, config_name)}", file=sys.stderr)
        sys.exit(_BAD_INPUT)
    except BaseException:
        wait_for_first_rank()
        raise
    sys.exit(max(statuses, default=0))


def write_config(cfg: DictConfig | dict[str, Any], run_dir: Path) -> str:
    """Write the resolved configuration into the run folder; returns its text. Plain data is written as it is."""
    text = OmegaConf.to_yaml(cfg, resolve=True) if isinstance(cfg, DictConfig) else write_plain(cfg)
    if is_first_rank():
        write_durably(run_dir / "config.yaml", text.encode())
    return text


def _prog(command: str) -> str:
    return f"lfb-{command}"


@contextmanager
def _naming_full_disk() -> Iterator[None]:
    """Make InputErrors of what libraries raise that write beside us, loggers above all, where the disk takes no more."""
    try:
        yield
    except OSError as error:
        if error.errno not in _DISK_ERRORS:
            raise
        folder = HydraConfig.get().run.dir if HydraConfig.initialized() else "the run folder"
        raise InputError(f"{error.filename or folder}: cannot be written ({error.strerror}).") from error


def _root_cause(error: BaseException) -> BaseException:
    while error.__cause__ is not None and not isinstance(error, InputError):
        error = error.__cause__
    return error


def _explain(error: BaseException, command: str, config_name: str) -> str:
    """The error's message, and the nearest names for an unknown key."""
    message = str(error).strip()
    if isinstance(error, OverrideParseException) or not isinstance(
        error, ConfigCompositionException | OmegaConfBaseException
    ):
        return message
    for name, extra in _PLUGIN_EXTRAS.items():
        if f"'{name}'" in message:
            return f"{name} is an optional part: pip install 'lfb-lightning[{extra}]'."
    key = getattr(error, "full_key", None) or _quoted(message)
    if not key:
        return message
    near = difflib.get_close_matches(str(key), _all_keys(config_name), n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    return f"unknown option '{key}': {hint}`{_prog(command)} --cfg job` prints every option.\n{message}"


def _quoted(message: str) -> str | None:
    parts = message.split("'")
    return parts[1] if len(parts) > 2 else None


def _all_keys(config_name: str) -> list[str]:
    """Every key of the configuration as composed from what the command line says of groups."""
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        composed = OmegaConf.to_container(hydra.compose(config_name), resolve=False)
    keys: list[str] = []

    def walk(node: object, prefix: str) -> None:
        if isinstance(node, dict):
            for name, value in node.items():
                keys.append(f"{prefix}{name}")
                walk(value, f"{prefix}{name}.")

    walk(composed, "")
    return keys
