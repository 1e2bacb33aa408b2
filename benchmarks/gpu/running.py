"""Runs each part in a process of its own, so that one that crashes, hangs or fills the memory ends alone."""

from __future__ import annotations

import contextlib
import faulthandler
import importlib
import logging
import os
import signal
import tempfile
import time
import warnings
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.report import LeftOut, Report
from benchmarks.gpu.sizes import SIZES

_GRACE_SECONDS = 15.0  # from the deadline of a part's cases to the end of its process


@dataclass(frozen=True)
class Part:
    """A part of the report.

    Args:
        name: Its name.
        about: What it measures.
        share: Its share of the time.
        module: Where its `measure` is; None: in `parts`, in the module of its name.
    """

    name: str
    about: str
    share: float
    module: str | None = None


def run_parts(report: Report, parts: list[Part], *, sizes: str, device: str, seconds: float) -> None:
    """Run parts one after the other; time that one does not need is the next ones'.

    Args:
        report: Takes what they find.
        parts: Which.
        sizes: The name of the sizes.
        device: "cpu" or "cuda".
        seconds: What they may take together.
    """
    deadline = time.monotonic() + seconds
    for number, part in enumerate(parts):
        left, shares = deadline - time.monotonic(), sum(one.share for one in parts[number:])
        limit = max(left * part.share / shares, 0.0)
        if limit < 1:
            report.add(LeftOut(part.name, "", "no time was left"))
            continue
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="lfb-gpu-") as folder:
            _run(report, part, sizes=sizes, device=device, limit=limit, until=deadline, folder=folder)
        report.seconds[part.name] = round(time.monotonic() - began, 1)
        report.write()
    report.finished = True
    report.write()


def _run(report: Report, part: Part, *, sizes: str, device: str, limit: float, until: float, folder: str) -> None:
    """Run a part and take what it tells, until it ends, hangs or has used up its time."""
    # A forked process cannot use CUDA once its origin has; a started one costs the imports again.
    context = get_context("spawn" if device != "cpu" else "forkserver")
    if device == "cpu":
        context.set_forkserver_preload(["benchmarks.gpu.preloaded"])
    here, there = context.Pipe(duplex=False)
    threads = torch.get_num_threads()
    process = context.Process(target=_work, args=(part, sizes, device, limit, folder, threads, there))
    process.start()
    there.close()
    try:
        wrong = _listen(report, here, limit=limit, until=until)
        process.join(0 if wrong else _GRACE_SECONDS)
    finally:
        code = process.exitcode
        _end(process)
        here.close()
    if wrong is None and code:
        wrong = f"its process ended with {signal.Signals(-code).name if code < 0 else f'status {code}'}"
    if wrong is not None:
        report.add(LeftOut(part.name, "", wrong))


def _listen(report: Report, pipe: Connection, *, limit: float, until: float) -> str | None:
    """Take what a part tells; returns why no more is waited for, or None where it ended by itself.

    Its time counts from when it has started: that alone takes minutes on a machine with much else to do.
    """
    try:
        if not pipe.poll(max(until - time.monotonic(), 0.0)):
            return "its process did not start in time"
        pipe.recv()
        end = time.monotonic() + limit + _GRACE_SECONDS
        while pipe.poll(max(end - time.monotonic(), 0.0)):
            report.add(pipe.recv())
    except EOFError:
        return None
    return f"it did not end in its {limit:.0f} s"


def _end(process: BaseProcess) -> None:
    """End a part's process, if it has not ended, and what it started."""
    if process.pid is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()  # before it is a group of its own
    process.join()


def _work(part: Part, sizes: str, device: str, limit: float, folder: str, threads: int, pipe: Connection) -> None:
    """Measure a part, in its process."""
    os.setsid()  # Ctrl-C is the report's, which ends this group
    faulthandler.dump_traceback_later(limit + 4 * _GRACE_SECONDS, exit=True)  # where nobody is left to end it
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    measure = importlib.import_module(part.module or f"benchmarks.gpu.parts.{part.name}").measure
    pipe.send("started")
    bench = Bench(part.name, SIZES[sizes], device, Path(folder), time.monotonic() + limit, pipe.send)
    bench.case("", measure, bench)
