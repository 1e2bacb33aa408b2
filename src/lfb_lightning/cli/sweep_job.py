"""One job of a sweep: a command of its own, whose record in its folder lets a sweep be resumed.

Lightning starts the other ranks of a DDP run with this process's command line. In a multirun that would make every
rank start a sweep of its own, so each job of a sweep is a command of its own: the same overrides, in RUN mode, with the
job's folder. It does not matter which launcher starts the jobs, on which machine.
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
from collections.abc import Callable, Iterator, Sequence
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
_LAST_WORDS = 10.0  # seconds that a job's output is waited for once it has ended: a process of its own may hold it open
_START_ANEW = "delete it to start the job anew"


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """What a job was asked and how it ended; `status` is None while it runs, and after its machine died."""

    overrides: Sequence[str]
    status: int | None = None
    seconds: float = 0.0

    @classmethod
    def read(cls, folder: Path) -> JobRecord | None:
        """The record of the job in a folder, if there has been one."""
        path = folder / RECORD
        if not path.is_file():
            return None
        content = read_json_object(path, what="sweep job", remedy=_START_ANEW)
        try:
            return cls(**content)
        except TypeError as error:
            raise InputError(f"sweep job {path}: is not a job's record ({error}); {_START_ANEW}.") from error

    def write(self, folder: Path) -> None:
        """Replace the record."""
        write_durably(folder / RECORD, json.dumps(asdict(self), indent=1).encode())


def run_sweep_job(module: str, run_dir: Path) -> tuple[int, float | None]:
    """Run the current job's command, unless it has been done before; returns its status and its mAP, if it has one.

    A training job that was begun before goes on from its `last.ckpt`. Raises InputError if the folder is another job's.
    Where SLURM starts several tasks a job, each is a rank; the first one keeps the record.
    """
    settings = HydraConfig.get()
    overrides = list(settings.overrides.task)
    before = JobRecord.read(run_dir)
    arguments = [
        sys.executable,
        "-m",
        f"lfb_lightning.cli.{module}",
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
    """The run's `metrics.json`; empty if there is none."""
    path = run_dir / "metrics.json"
    return read_json_object(path, what="metrics", remedy="run the job again") if path.is_file() else {}


def score(metrics: dict[str, object]) -> float | None:
    """What a sweep compares: the mAP of the best checkpoint, or of the test."""
    value = metrics.get("best_mAP", metrics.get("mAP"))
    return float(value) if isinstance(value, int | float) else None


def _composing() -> list[str]:
    """The options and the override that make Hydra compose the job from the files that the sweep was composed from."""
    settings = HydraConfig.get()
    options = ["--config-name", str(settings.job.config_name)]
    added = []
    for source in settings.runtime.config_sources:
        folder = source.path if source.schema == "file" else f"{source.schema}://{source.path}"
        if source.provider == "main" and folder != str(conf_dir()):
            options += ["--config-path", folder]
        elif source.provider == "command-line":
            options += ["--config-dir", folder]
        elif source.provider == "hydra.searchpath in command-line":  # what a file adds, the file adds again
            added.append(f"{source.schema}://{source.path}")
    return [*options, search_path(added)] if added else options


def _run(arguments: list[str], run_dir: Path) -> int:
    """Run a command; what it writes to the console is shown, and kept in a file of the run folder."""
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
            except OSError:  # a full disk, or a console that has gone: the job must not wait for it
                takers.remove(taker)


def _show(console: TextIO, line: bytes) -> None:
    console.write(line.decode(errors="replace"))
    console.flush()


def _output_name() -> str:
    """The file of a job's output; where SLURM starts several tasks for a job, each has its own."""
    rank = os.environ.get("SLURM_PROCID", "0")
    return "output.txt" if rank == "0" else f"output_{rank}.txt"


@contextmanager
def _passing_on_sigterm(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """SIGTERM ends the job, which writes its checkpoint first, and then the sweep, so that it can be resumed."""
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
    wakeup = signal.set_wakeup_fd(-1)  # the job's last checkpoint may take longer than `processes` waits
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        signal.signal(signal.SIGTERM, before)
    if asked.is_set():
        sys.exit(128 + signal.SIGTERM)
