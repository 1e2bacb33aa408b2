"""Console commands that a test does not wait for: it looks at them while they run, and kills them."""

import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

from tests.conftest import ROOT


@pytest.fixture
def start():
    """Starts `lfb-<command>` in a session of its own; what still runs when the test is over is killed."""
    started = []

    def begin(command, arguments, folder, stdin=None):
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), environment.get("PYTHONPATH")]))
        process = subprocess.Popen(
            [sys.executable, "-m", f"lfb_lightning.cli.{command}", *map(str, arguments)],
            cwd=folder,
            env=environment,
            start_new_session=True,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
