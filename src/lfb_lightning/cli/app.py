"""Running a command under Hydra: a user's mistake becomes one clear line, a job of a sweep becomes one process."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lfb_lightning.cli.arguments import prepare
from lfb_lightning.cli.checking import check_config
from lfb_lightning.cli.conf_dir import conf_dir
from lfb_lightning.cli.help.answers import answer_command
from lfb_lightning.cli.loading import keep_what_is_loaded
from lfb_lightning.cli.mistakes import explain
from lfb_lightning.cli.sweep_job import run_sweep_job
from lfb_lightning.cli.trust import trusted_packages
from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import DISK_ERRORS, write_durably
from lfb_lightning.files.plain_yaml import write_plain
from lfb_lightning.processes import end_when_asked, follow_starter, is_first_rank, wait_for_first_rank

_BAD_INPUT = 1
_TRACEBACK = "LFB_FULL_ERROR"
_SWEEPING = ("train", "extract", "test")
Job = Callable[[DictConfig, Path], int]


def launch(command: str, job: Job, *, module: str | None = None, config_name: str | None = None) -> None:
    """Compose the configuration from the command line, run the command, and exit with its status.

    Args:
        command: The command's name, `train` for `lfb-train`.
        job: The command: a function of the composed configuration and the run folder that returns the exit status.
        module: The name of the command's file in this folder; by default the command's name.
        config_name: The name of its configuration in `conf/`; by default the command's name.
    """
    config_name = config_name or command
    if (text := answer_command(command, sys.argv[1:])) is not None:
        print(text)
        sys.exit(0)
    keep_what_is_loaded()  # by a rank, which is started as `python -m lfb_lightning.cli.train`
    follow_starter()
    end_when_asked()
    logging.raiseExceptions = (
        False  # a log file on a full disk is not reported: the next other file ends the run anyway
    )
    # Stored before it is overwritten below, since the other ranks and a sweep's jobs inherit the environment.
    wants_traceback = os.environ.setdefault(_TRACEBACK, os.environ.get("HYDRA_FULL_ERROR", "0")) == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # makes Hydra raise errors instead of printing them
    statuses: list[int] = []
    at_work = False
    failure: Exception | None = None
    split: object = None

    @hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=config_name)
    def main(cfg: DictConfig) -> float | None:
        nonlocal at_work, failure, split
        run_dir = Path(HydraConfig.get().runtime.output_dir)
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            at_work = True
            status, score = run_sweep_job(module or command, run_dir)
            statuses.append(status)
            return score
        try:
            if "trusted_packages" in cfg:
                trusted_packages(cfg)  # before their classes are looked up
            check_config(cfg, command)
            split = cfg.get("split")
            at_work = True
            with _naming_full_disk():
                statuses.append(job(cfg, run_dir))
        except Exception as error:  # raised again outside of Hydra, which would print a report of its own
            failure = error
        return None

    try:
        sys.argv[1:] = prepare(sys.argv[1:], may_sweep=command in _SWEEPING)
        with _naming_full_disk():  # Hydra's own files
            main()
        if failure is not None:
            raise failure
    except Exception as error:
        # Before the command is at work, only the typed input can be wrong; later, an unknown exception is a bug.
        if wants_traceback or (at_work and not _is_users(error)):
            wait_for_first_rank()
            raise
        print(f"lfb-{command}: {explain(error, command, config_name, split=split)}", file=sys.stderr)
        sys.exit(_BAD_INPUT)
    except BaseException:
        wait_for_first_rank()
        raise
    sys.exit(max(statuses, default=0))


def write_config(cfg: DictConfig | dict[str, Any], run_dir: Path) -> str:
    """Write a configuration into the run folder as `config.yaml`.

    Args:
        cfg: The composed configuration, which is resolved, or plain data, which is written as it is.
        run_dir: The run folder. Only the first rank writes.

    Returns:
        The text of the file.
    """
    text = OmegaConf.to_yaml(cfg, resolve=True) if isinstance(cfg, DictConfig) else write_plain(cfg)
    if is_first_rank():
        write_durably(run_dir / "config.yaml", text.encode())
    return text


@contextmanager
def _naming_full_disk() -> Iterator[None]:
    """Turn a full disk's OSError from a library that writes files, such as a logger, into an InputError."""
    before = threading.excepthook
    threading.excepthook = _leave_disk_to_the_command(before)
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_ERRORS:
            raise
        folder = HydraConfig.get().run.dir if HydraConfig.initialized() else "the run folder"
        raise InputError(f"{error.filename or folder}: cannot be written ({error.strerror}).") from error
    finally:
        threading.excepthook = before


def _leave_disk_to_the_command(otherwise: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Keep a writer's thread, such as TensorBoard's, from a traceback of its own: the command meets the same disk."""

    def report(thread: Any) -> None:
        if not (isinstance(thread.exc_value, OSError) and thread.exc_value.errno in DISK_ERRORS):
            otherwise(thread)

    return report


def _is_users(error: Exception) -> bool:
    """Tell whether the user can mend an error: bad input, a wrong configuration, a folder that cannot be used."""
    if isinstance(error, OSError):
        return error.filename is not None
    return isinstance(error, InputError | HydraException | OmegaConfBaseException)
