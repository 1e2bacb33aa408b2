"""One job of a sweep: a command in a process of its own, with a record in its folder that lets the sweep be resumed.

Lightning starts the other ranks of a DDP run with the command line of the first one. In a sweep, each rank would then start
the whole sweep again. So each job is a separate command for a single run, with the job's overrides and folder, whichever
launcher starts it on whichever machine.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TextIO

from hydra.core.hydra_config import HydraConfig

from lfb_lightning.cli.arguments import quoted, search_path
from lfb_lightning.cli.conf_dir import conf_dir
from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import write_durably
from lfb_lightning.files.json_file import read_json_object
from lfb_lightning.processes import environment_of_job

_log = logging.getLogger(__name__)
RECORD = "job.json"
_NO_METRICS = 1
_LAST_WORDS = 10.0  # seconds to wait for the output of a job that has ended: a process that it started may hold it open
_START_ANEW = "delete it to start the job anew"


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """The record of a job.

    Args:
        overrides: The job's overrides of the configuration.
        status: The command's exit status; None while it runs, or if its machine failed.
        seconds: How long it ran.
    """

    overrides: Sequence[str]
    status: int | None = None
    seconds: float = 0.0

    @classmethod
    def read(cls, folder: Path) -> JobRecord | None:
        """Read the record in a job's folder; None if there is none."""
        path = folder / RECORD
        if not path.is_file():
            return None
        content = read_json_object(path, what="sweep job", remedy=_START_ANEW)
        try:
            return cls(**content)
        except TypeError as error:
            raise InputError(f"sweep job {path}: is not a job's record ({error}); {_START_ANEW}.") from error

    def write(self, folder: Path) -> None:
        """Write the record into a job's folder, replacing an earlier one."""
        write_durably(folder / RECORD, json.dumps(asdict(self), indent=1).encode())


def run_sweep_job(module: str, run_dir: Path) -> tuple[int, float | None]:
    """Run the command of Hydra's current job, unless an earlier sweep in the same folder has finished it.

    A training job that was begun before goes on from its `last.ckpt`. Where SLURM starts several tasks per job, each is a
    rank, and the first one writes the record.

    Args:
        module: The name of the command's module in `lfb_lightning.cli`.
        run_dir: The job's folder.

    Returns:
        The command's exit status, and its main figure, such as mAP, if it has one.

    Raises:
        InputError: The folder holds the record of a job with other overrides.
    """
    settings = HydraConfig.get()
    overrides = list(settings.overrides.task)
    before = JobRecord.read(run_dir)
    arguments = [
        sys.executable,
        "-m",
        "lfb_lightning.cli",
        module,
        *_composing(),
        *overrides,
    ]
    arguments += ["hydra.mode=RUN", quoted("hydra.run.dir", str(run_dir))]
    if before is not None:
        if list(before.overrides) != overrides:
            raise InputError(
                f"{run_dir} holds the job '{' '.join(before.overrides)}', not '{' '.join(overrides)}'; to resume a sweep "
                "repeat its command, for another one set another hydra.sweep.dir."
            )
        if before.status == 0:
            _log.info("sweep job %s was done before: %s", settings.job.num, run_dir)
            return 0, score(read_metrics(run_dir))
    if os.environ.get("SLURM_PROCID", "0") != "0":
        return _run([*arguments, *_resuming(module, overrides)], run_dir), None
    JobRecord(overrides=overrides).write(run_dir)
    started = time.monotonic()
    status = _run([*arguments, *_resuming(module, overrides)], run_dir)
    metrics = read_metrics(run_dir)
    if not metrics:
        status = status or _NO_METRICS
    JobRecord(overrides=overrides, status=status, seconds=time.monotonic() - started).write(run_dir)
    if status != 0:
        output = run_dir / _output_name()
        _log.error("sweep job %s failed with status %d; what it said is in %s", settings.job.num, status, output)
        return status, None
    return 0, score(metrics)


def _resuming(module: str, overrides: list[str]) -> list[str]:
    asked = any(override.startswith("ckpt_path=") for override in overrides)
    return ["ckpt_path=auto"] if module == "train" and not asked else []


def read_metrics(run_dir: Path) -> dict[str, object]:
    """Read a run's `metrics.json`; returns an empty dictionary if there is none."""
    path = run_dir / "metrics.json"
    return read_json_object(path, what="metrics", remedy="run the job again") if path.is_file() else {}


def score(metrics: Mapping[str, object]) -> float | None:
    """Return the main figure, by which a sweep compares jobs: that of the best checkpoint, or of the test."""
    name = main_figure(metrics)
    value = metrics.get(f"best_{name}", metrics.get(name))
    return float(value) if isinstance(value, int | float) else None


def main_figure(metrics: Mapping[str, object]) -> str:
    """Return the name of the main figure; older runs measured mAP and did not say so."""
    return str(metrics.get("main_figure", "mAP"))


def _composing() -> list[str]:
    """Return the options with which Hydra composes a job from the same folders of configuration as the sweep."""
    settings = HydraConfig.get()
    options = ["--config-name", str(settings.job.config_name)]
    added = []
    for source in settings.runtime.config_sources:
        folder = source.path if source.schema == "file" else f"{source.schema}://{source.path}"
        if source.provider == "main" and folder != str(conf_dir()):
            options += ["--config-path", folder]
        elif source.provider == "command-line":
            options += ["--config-dir", folder]
        elif source.provider == "hydra.searchpath in command-line":  # folders that a file adds are added by it again
            added.append(f"{source.schema}://{source.path}")
    return [*options, search_path(added)] if added else options


def _run(arguments: list[str], run_dir: Path) -> int:
    """Run a command, showing its output and writing it into a file of the run folder."""
    run_dir.mkdir(parents=True, exist_ok=True)
    with (run_dir / _output_name()).open("ab", buffering=0) as kept:
        process = subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment_of_job())
        copiers = [
            threading.Thread(target=_copy, args=(stream, console, kept), daemon=True)
            for stream, console in ((process.stdout, sys.stdout), (process.stderr, sys.stderr))
        ]
        for copier in copiers:
            copier.start()
        with _passing_on_sigterm(process):
            status = process.wait()
            for copier in copiers:
                copier.join(_LAST_WORDS)
        return status


def _copy(stream: IO[bytes], console: TextIO, kept: IO[bytes]) -> None:
    takers: list[Callable[[bytes], object]] = [kept.write, lambda line: _show(console, line)]
    for line in stream:
        for taker in list(takers):
            try:
                taker(line)
            except OSError:  # the disk is full, or the console was closed: the job must go on
                takers.remove(taker)


def _show(console: TextIO, line: bytes) -> None:
    console.write(line.decode(errors="replace"))
    console.flush()


def _output_name() -> str:
    """Return the name of the file for a job's output; where SLURM starts several tasks per job, each has its own."""
    rank = os.environ.get("SLURM_PROCID", "0")
    return "output.txt" if rank == "0" else f"output_{rank}.txt"


@contextmanager
def _passing_on_sigterm(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Pass SIGTERM on to the job, which then writes its checkpoint, and end the sweep after it."""
    if (
        threading.current_thread() is not threading.main_thread()
    ):  # where no handler can be set: some launchers' workers
        yield
        return
    asked = threading.Event()

    def pass_on(number: int, frame: object) -> None:
        asked.set()
        process.terminate()

    before = signal.signal(signal.SIGTERM, pass_on)
    wakeup = signal.set_wakeup_fd(-1)  # the job's last checkpoint may take longer than `end_when_asked` allows
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        signal.signal(signal.SIGTERM, before)
    if asked.is_set():
        sys.exit(128 + signal.SIGTERM)
