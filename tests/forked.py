"""Console commands in processes of their own, which are forked from one that has loaded all they need.

A command that Python starts anew loads modules for eight seconds; forked, it is at work after one. All else is a process as
any other: its folder, environment, standard streams, signals, status. What it starts itself, such as the ranks of a training,
it starts as for a user. The installed programs are started by tests/test_readme.py, test_extension.py and test_packaging.py.
"""

import atexit
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from multiprocessing.reduction import DupFd

_LOADED = "tests.forked_from"


class ForkedCommand:
    """`lfb-<command>` as it runs, to be handled as a `subprocess.Popen`; it leads a session of its own.

    Args:
        command: Its name.
        arguments: Its command line.
        folder: The working directory.
        stdin: An open file that it reads; None: nothing.
        separate: Whether its messages come by `stderr`; if not, both come by `stdout`.
        environment: Variables that it has besides those of the test.
    """

    def __init__(self, command, arguments, folder, *, stdin=None, separate=False, environment=None):
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([_LOADED])
        self.args = [f"lfb-{command}", *map(str, arguments)]
        self.stdout, out = _pipe()
        self.stderr, err = _pipe() if separate else (None, out)
        with open(os.devnull) as nothing:  # noqa: PTH123
            streams = [stream.fileno() for stream in (stdin or nothing, out, err)]
            told = _Told(self.args, str(folder), {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})}, streams)
            self._process = context.Process(target=_run, args=(told,))
            self._process.start()
        self.pid = self._process.pid
        out.close()
        err.close()

    @property
    def returncode(self):
        """The status that a shell would see, or a signal's number below zero; None while it runs."""
        return self._process.exitcode

    def poll(self):
        return self.returncode

    def wait(self, timeout=None):
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self.returncode

    def send_signal(self, number):
        os.kill(self.pid, number)

    def communicate(self, timeout=None):
        """Read all that it says until it ends, which every process that it started has to do as well."""
        streams = [stream for stream in (self.stdout, self.stderr) if stream]
        said = dict.fromkeys(streams, "")
        readers = [
            threading.Thread(target=lambda one=one: said.update({one: one.read()}), daemon=True) for one in streams
        ]
        for reader in readers:
            reader.start()
        until = None if timeout is None else time.monotonic() + timeout
        for reader in readers:
            reader.join(None if until is None else max(0.0, until - time.monotonic()))
            if reader.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout)
        self.wait(None if until is None else max(0.0, until - time.monotonic()))
        self.close()
        return said[self.stdout], said.get(self.stderr)

    def close(self):
        """Close what it spoke through."""
        for stream in (self.stdout, self.stderr):
            if stream:
                stream.close()


def _pipe():
    reading, writing = os.pipe()
    return os.fdopen(reading, encoding="utf-8", errors="replace"), os.fdopen(writing, "wb")


class _Told:
    """What a command is started with. It is pickled where its process is forked, and takes the open files along."""

    def __init__(self, words, folder, environment, streams):
        self.words, self.folder, self.environment = words, folder, environment
        self.streams = streams

    def __getstate__(self):
        return {**vars(self), "streams": [DupFd(stream) for stream in self.streams]}


def _run(told):
    """Be the command: what a new process has from its start is set, then it runs to its end, and no test's code after it."""
    os.setsid()
    for number, stream in enumerate(told.streams):
        os.dup2(stream.detach(), number)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, mode, closefd=False) for number, mode in enumerate("rww"))
    os.environ.clear()
    os.environ.update(told.environment)
    os.chdir(told.folder)
    searched = [told.folder, *told.environment.get("PYTHONPATH", "").split(os.pathsep)]  # as `python -m` does
    sys.path[:0] = [path for path in searched if path and path not in sys.path]
    sys.argv = told.words
    tempfile.tempdir = None  # as the environment says
    multiprocessing.current_process().name = "MainProcess"
    multiprocessing.set_start_method(None, force=True)  # not the one by which it was forked
    from lfb_lightning.cli.entry import main

    try:
        main()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)
