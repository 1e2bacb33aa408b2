"""How a process of a run ends: with the process that started it, and soon after a signal has asked it to."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from functools import cache
from types import FrameType, TracebackType

# Who must not be outlived: the first of several ranks on this machine, which started the others, and a sweep, its jobs.
_FIRST_RANK = "LFB_FIRST_RANK"
_SWEEP = "LFB_SWEEP"
_LOOK_SECONDS = 0.5
_LEAVE_SECONDS = 3.0  # in which a process that is about to end does so by itself
_LONGEST_FAREWELL = 10.0  # from a signal to the end
_ASKING = (signal.SIGTERM, signal.SIGINT)
_RANK_VARIABLES = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "NODE_RANK")

_first_rank: int | None = None  # the process that started this rank
_leaving = False  # the main thread is on its way out


def is_first_rank() -> bool:
    """Whether this process is the only one of its run or the first, as Lightning, torchrun and SLURM say."""
    return all(os.environ.get(name, "0") == "0" for name in _RANK_VARIABLES)


def follow_starter() -> None:
    """Let this process end with the first rank, or the sweep, that started it, and those that it starts with this one.

    Lightning starts the other ranks of a machine and ends when one of them fails, but a rank whose first one was killed
    waits for it, at start-up for ever. torchrun and SLURM look after their processes themselves.
    """
    global _first_rank
    starter = os.environ.pop(_SWEEP, None)
    if os.environ.get("LOCAL_RANK", "0") == "0":
        os.environ[_FIRST_RANK] = str(os.getpid())
    elif (starter := os.environ.pop(_FIRST_RANK, None)) is not None:
        _first_rank = int(starter)
    if starter is not None:
        end_with(int(starter))


def environment_of_job() -> dict[str, str]:
    """The environment in which a sweep starts a job that is not to outlive it."""
    return {**os.environ, _SWEEP: str(os.getpid())}


def end_with(parent: int) -> None:
    """End this process within seconds after `parent`, which started it, has ended, whatever this one is doing then."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_SECONDS)
        time.sleep(_LEAVE_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="ends-with-parent", daemon=True).start()


def serve(parent: int) -> None:
    """Make this process a pool's worker that ends with `parent`, which alone hears of Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(parent)


def wait_for_first_rank() -> None:
    """Give the first rank, if it started this one, time to end.

    A rank fails when the first has ended in the middle of what they do together; then it ends here, and only the first says
    why. And a rank that was asked to stop must not end with a status before the first has: Lightning would kill that one.
    """
    if _first_rank is not None:
        time.sleep(_LONGEST_FAREWELL)


def end_when_asked() -> None:
    """From now on SIGTERM and SIGINT end this process, its status 128 plus the signal's number.

    The main thread leaves through `SystemExit`. Where it does not come to that, since it waits for another rank in the
    middle of a collective, another thread ends the process ten seconds later. A rank that the first one started passes the
    signal on to it, and ends with it. To be called by the main thread, and again where Lightning has put its own handlers
    in place: those exchange messages wherever the signal finds a rank.
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
    """Print no traceback of a thread or a finalizer from here on: each would tell that its partners are gone."""
    sys.excepthook = _report_main_thread
    threading.excepthook = lambda _: None
    sys.unraisablehook = _leave_again
    atexit.register(_ignore_signals)  # the interpreter is about to forget the handlers


def _report_main_thread(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if threading.current_thread() is threading.main_thread():
        sys.__excepthook__(kind, error, trace)


def _leave_again(unraisable: sys.UnraisableHookArgs) -> None:
    """Send the signal again where a finalizer swallowed the exit that was raised in the middle of it."""
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
    """See to the end of a main thread that no handler reaches: the interpreter writes a signal's number here at once."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    os.register_at_fork(after_in_child=_forget_signals)

    def watch() -> None:
        while (number := os.read(read, 1)[0]) not in _ASKING:
            pass
        if _first_rank is None:
            time.sleep(_LONGEST_FAREWELL)
            os._exit(128 + number)

    threading.Thread(target=watch, name="ends-when-asked", daemon=True).start()


def _forget_signals() -> None:
    """A forked process, such as a loader's worker, is none of those who are asked."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
