"""Console commands that a test does not wait for: it looks at them while they run, and kills them."""

import os
import signal
from contextlib import suppress

import pytest

from tests.conftest import ROOT
from tests.forked import ForkedCommand


@pytest.fixture
def start():
    """Starts `lfb-<command>` in a session of its own; what still runs when the test is over is killed."""
    started = []

    def begin(command, arguments, folder, stdin=None):
        # Where its ranks, too, find tests.cli.pausing.
        found = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        process = ForkedCommand(command, arguments, folder, stdin=stdin, environment={"PYTHONPATH": found})
        started.append(process)
        return process

    yield begin
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.close()
