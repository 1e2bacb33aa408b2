"""How the processes of a run end: together with the process that started them, and soon after a signal.

Lightning starts one process per device (a rank); a sweep starts one process per job. None of them may outlive its starter.
"""

from __future__ import annotations

import atexit
import math
import os
import signal
import sys
import threading
import time
from functools import cache
from pathlib import Path
from types import FrameType, TracebackType

# Environment variables with the process id of the first rank of this machine, which started the other ranks, and of the
# sweep that started this job.
_FIRST_RANK = "LFB_FIRST_RANK"
_SWEEP = "LFB_SWEEP"
_CGROUPS = Path("/sys/fs/cgroup")
_LOOK_SECONDS = 0.5
_LEAVE_SECONDS = 3.0  # given to a process to end by itself before it is ended
_LONGEST_FAREWELL = 10.0  # seconds from a signal to the end of the process
_ASKING = (signal.SIGTERM, signal.SIGINT)
# Preemption; what scripts/train.slurm asks for before the time limit; what submitit sends then. Windows has the first one.
STOP_SIGNALS = tuple(signal.Signals[name] for name in ("SIGTERM", "SIGUSR1", "SIGUSR2") if hasattr(signal, name))
_RANK_VARIABLES = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "NODE_RANK")

_first_rank: int | None = None  # the process that started this rank
_leaving = False  # the main thread is on its way out


def is_first_rank() -> bool:
    """Tell whether this is the only or the first process of its run, by the variables of Lightning, torchrun and SLURM."""
    return all(os.environ.get(name, "0") == "0" for name in _RANK_VARIABLES)


def follow_starter() -> None:
    """Make this process end when the first rank or the sweep that started it ends, and announce it to those it starts.

    Lightning ends a run when a started rank fails. When the first rank is killed, however, the others wait for it, during
    start-up without a limit. torchrun and SLURM look after their processes themselves.
    """
    global _first_rank
    starter = os.environ.pop(_SWEEP, None)
    if os.environ.get("LOCAL_RANK", "0") == "0":
        os.environ[_FIRST_RANK] = str(os.getpid())
    elif (starter := os.environ.pop(_FIRST_RANK, None)) is not None:
        _first_rank = int(starter)
    if starter is not None:
        end_with(int(starter))


def usable_cores() -> int:
    """Return the number of cores that this process may use: of its affinity, and of its control groups' quota at most."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1  # macOS, Windows
    quota = cgroup_cores(own_cgroups())
    return cores if quota is None else min(cores, max(1, math.floor(quota)))


def own_cgroups(table: Path = Path("/proc/self/cgroup"), root: Path = _CGROUPS) -> list[Path]:
    """Return the folders of this process's control groups, from its own up to the root."""
    if not table.is_file():
        return []
    found = []
    for line in table.read_text(encoding="utf-8").splitlines():
        controllers, path = line.split(":", 2)[1:]
        top = root / controllers if controllers else root
        own = top / path.lstrip("/")
        found += [own, *(folder for folder in own.parents if folder.is_relative_to(top))]
    return found


def cgroup_cores(folders: list[Path]) -> float | None:
    """Return the least quota of processor time among control groups, in cores; None without a limit."""
    found = []
    for folder in folders:
        quota, period = (
            words(folder / "cpu.max")
            or [
                *words(folder / "cpu.cfs_quota_us"),
                *words(folder / "cpu.cfs_period_us"),
            ]
            or ["max", "1"]
        )
        if quota not in ("max", "-1"):
            found.append(int(quota) / int(period))
    return min(found, default=None)


def words(path: Path) -> list[str]:
    """Return the words of a small file; none of one that is not there."""
    return path.read_text(encoding="utf-8").split() if path.is_file() else []


def environment_of_job() -> dict[str, str]:
    """Return the environment in which a sweep starts a job, so that the job ends when the sweep does."""
    return {**os.environ, _SWEEP: str(os.getpid())}


def end_with(parent: int) -> None:
    """End this process within seconds after its parent has ended, whatever it is doing then.

    On Windows, which goes on naming a parent that has ended, it does not end.

    Args:
        parent: The process id of the parent.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_SECONDS)
        time.sleep(_LEAVE_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="ends-with-parent", daemon=True).start()


def end_soon(status: int) -> None:
    """End this process some seconds from now if it has not ended by then.

    Args:
        status: Its exit status.
    """

    def leave() -> None:
        time.sleep(_LONGEST_FAREWELL)
        os._exit(status)

    threading.Thread(target=leave, name="ends-soon", daemon=True).start()


def serve(parent: int) -> None:
    """Prepare a worker of a process pool: it ignores Ctrl-C, which its parent handles, and ends when its parent ends.

    Args:
        parent: The process id of the parent.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(parent)


def wait_for_first_rank() -> None:
    """Wait some seconds for the first rank to end, if it started this process.

    When the first rank fails, the others fail in their next collective operation; only the first should report why, and
    `follow_starter` ends this process during the wait. A rank that was asked to stop must also not end before the first
    one, since Lightning would then kill the first.
    """
    if _first_rank is not None:
        time.sleep(_LONGEST_FAREWELL)


def end_when_asked() -> None:
    """Make SIGTERM and SIGINT end this process, with 128 plus the signal's number as its status.

    The main thread raises `SystemExit`. If it cannot, because it waits for another rank in a collective operation, a second
    thread ends the process ten seconds later. A rank that the first rank started passes the signal on to the first, and
    ends with it.

    Call this from the main thread, and again after Lightning has installed its own handlers: those exchange messages
    between ranks at whatever place the signal interrupts.
    """
    _start_backstop()
    for number in _ASKING:
        signal.signal(number, _end)


def _end(number: int, frame: FrameType | None) -> None:
    global _leaving
    _keep_threads_quiet()
    if _first_rank is not None:
        if os.getppid() == _first_rank:
            os.kill(_first_rank, number)
        return
    if not _leaving:
        _leaving = True
        raise SystemExit(128 + number)


@cache
def _keep_threads_quiet() -> None:
    """Stop printing tracebacks of other threads and of finalizers: at the end, each would only report a lost connection."""
    sys.excepthook = _report_main_thread
    threading.excepthook = lambda _: None
    sys.unraisablehook = _leave_again
    atexit.register(_ignore_signals)  # the interpreter is about to forget the handlers


def _report_main_thread(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if threading.current_thread() is threading.main_thread():
        sys.__excepthook__(kind, error, trace)


def _leave_again(unraisable: sys.UnraisableHookArgs) -> None:
    """Send the signal again if `SystemExit` was raised inside a finalizer, which ignores exceptions."""
    global _leaving
    error = unraisable.exc_value
    if isinstance(error, SystemExit) and isinstance(error.code, int):
        _leaving = False
        threading.Timer(0.05, os.kill, (os.getpid(), error.code - 128)).start()


def _ignore_signals() -> None:
    for number in _ASKING:
        signal.signal(number, signal.SIG_IGN)


@cache
def _start_backstop() -> None:
    """Start the thread that ends this process when the main thread does not.

    Python runs a signal's handler only between two bytecodes of the main thread, but writes the signal's number to a file
    descriptor at once; the thread reads it from there.
    """
    read, write = os.pipe()
    if hasattr(os, "set_blocking"):  # Windows has it since Python 3.12, and does not ask for it
        os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forget_signals)

    def watch() -> None:
        while (number := os.read(read, 1)[0]) not in _ASKING:
            pass
        if _first_rank is None:
            time.sleep(_LONGEST_FAREWELL)
            os._exit(128 + number)

    threading.Thread(target=watch, name="ends-when-asked", daemon=True).start()


def _forget_signals() -> None:
    """Restore the default signal handling in a forked process, such as a data loader's worker."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
