"""Runs a console command under Hydra: one clear message for a user's mistake, one process for a sweep's job.

Lightning starts the other ranks of a DDP run with this process's command line. In a multirun that would make every
rank start a sweep of its own, so each job of a sweep is a command of its own: the same overrides, in RUN mode, with the
job's folder. Its `metrics.json` comes back as the job's result.
"""

from __future__ import annotations

import difflib
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import ConfigCompositionException, HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lfb_lightning.cli.conf_dir import conf_dir
from lfb_lightning.errors import InputError

_log = logging.getLogger(__name__)
_BAD_INPUT = 1
Job = Callable[[DictConfig, Path], int]


def launch(command: str, job: Job, *, module: str | None = None, config_name: str | None = None) -> None:
    """Run `job(config, run_dir)` for the configuration `<command>.yaml` and the command line; exits with its status.

    `module` is the name of the command's file here and `config_name` its configuration, where they are not the command's
    own.
    """
    config_name = config_name or command
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come here instead of being printed by Hydra
    statuses: list[int] = []

    @hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=config_name)
    def main(cfg: DictConfig) -> float | None:
        run_dir = Path(HydraConfig.get().runtime.output_dir)
        if HydraConfig.get().mode == RunMode.MULTIRUN:
            status, result = _run_sweep_job(module or command, run_dir)
            statuses.append(status)
            return result
        try:
            statuses.append(job(cfg, run_dir))
        except InputError as error:  # before Hydra wraps it in a report of its own
            if wants_traceback:
                raise
            print(f"{_prog(command)}: {error}", file=sys.stderr)
            statuses.append(_BAD_INPUT)
        return None

    try:
        main()
    except (InputError, HydraException, OmegaConfBaseException) as error:
        if wants_traceback:
            raise
        cause = _root_cause(error)
        print(f"{_prog(command)}: {_explain(cause, command, config_name)}", file=sys.stderr)
        sys.exit(_BAD_INPUT)
    sys.exit(max(statuses, default=0))


def write_config(cfg: DictConfig, run_dir: Path) -> str:
    """Write the resolved configuration into the run folder; returns its text."""
    text = OmegaConf.to_yaml(cfg, resolve=True)
    if int(os.environ.get("LOCAL_RANK", "0")) == 0:
        (run_dir / "config.yaml").write_text(text)
    return text


def _run_sweep_job(module: str, run_dir: Path) -> tuple[int, float | None]:
    """One job of a sweep as a process of its own; a failed one is reported and does not stop the others."""
    settings = HydraConfig.get()
    arguments = [sys.executable, "-m", f"lfb_lightning.cli.{module}", *settings.overrides.task]
    arguments += ["hydra.mode=RUN", f"hydra.run.dir='{run_dir}'"]
    for source in settings.runtime.config_sources:
        if source.provider == "command-line":
            arguments += ["--config-dir", source.path]
    status = subprocess.run(arguments, check=False).returncode
    metrics = run_dir / "metrics.json"
    if status != 0 or not metrics.is_file():
        _log.error("sweep job %s failed with status %d; its log is in %s", settings.job.num, status, run_dir)
        return status or _BAD_INPUT, None
    value = json.loads(metrics.read_text()).get("mAP")
    return 0, value


def _prog(command: str) -> str:
    return f"lfb-{command}"


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
