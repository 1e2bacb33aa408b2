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


DYING = """
import signal, sys, threading, time
from lfb_lightning import processes
processes.end_when_asked()
asked = threading.Event()

def serve():
    asked.wait()
    time.sleep(0.1)
    raise BrokenPipeError  # its partners are gone

class Slow:
    def __del__(self):
        until = time.monotonic() + 20
        print("ready", flush=True)
        while time.monotonic() < until:
            time.sleep(0.01)

threading.Thread(target=serve, daemon=True).start()
try:
    if {finalizer}:
        Slow()  # what is raised in a finalizer goes no further
    print("ready", flush=True)
    time.sleep(20)
except SystemExit:
    asked.set()
    time.sleep(0.5)
    print("left by itself", flush=True)
    raise
"""


@pytest.mark.parametrize("finalizer", [True, False])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_is_asked_leaves_by_itself_without_a_traceback(number, finalizer):
    process = subprocess.Popen(
        [sys.executable, "-c", DYING.format(finalizer=finalizer)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.1)
    began = time.monotonic()
    process.send_signal(number)
    for _ in range(20):  # another rank passes it on, a person presses Ctrl-C again
        time.sleep(0.01)
        process.send_signal(number)
    said = process.communicate(timeout=30)[0]
    assert process.returncode == 128 + number
    assert said.replace("ready\n", "") == "left by itself\n"
    assert time.monotonic() - began < 8, "not by the thread that ends who cannot"
