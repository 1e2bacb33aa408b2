"""Who is the first rank, and how a process ends: tests/cli/test_ending.py has the real runs."""

import signal
import subprocess
import sys
import time

import pytest

from lfb_lightning.processes import is_first_rank

VARIABLES = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "NODE_RANK")


@pytest.mark.parametrize(
    ("environment", "first"),
    [
        ({}, True),
        ({"LOCAL_RANK": "0", "NODE_RANK": "0"}, True),  # Lightning, after it has started the others
        ({"LOCAL_RANK": "1", "NODE_RANK": "0"}, False),
        ({"NODE_RANK": "1"}, False),  # Lightning on a second machine
        ({"RANK": "2", "LOCAL_RANK": "0"}, False),  # torchrun on a second machine
        ({"SLURM_PROCID": "0"}, True),
        ({"SLURM_PROCID": "3"}, False),
    ],
)
def test_the_first_rank_is_known_by_its_environment(environment, first, monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert is_first_rank() is first


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_main_thread_that_no_handler_reaches_is_ended_by_another(number):
    # The main thread waits in C, as in a collective, and comes back to Python only then.
    code = """
import ctypes
from lfb_lightning import processes
processes._LONGEST_FAREWELL = 0.5
processes.end_when_asked()
print("ready", flush=True)
mutex = (ctypes.c_char * 64)()
for _ in range(2):
    ctypes.CDLL(None).pthread_mutex_lock(mutex)  # for ever, at the second time
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.2)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode == 128 + number
