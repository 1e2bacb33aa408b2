"""Parts of a GPU report that end badly, each as its name says."""

import os
import signal
import time

import torch
from benchmarks.gpu.bench import LeaveOut
from benchmarks.timing import Spread


def crash():
    os._exit(3)


def be_killed():
    os.kill(os.getpid(), signal.SIGKILL)


def hang():
    time.sleep(600)


def fill_the_memory():
    raise torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 20 GiB")


def fail():
    raise ValueError("two\nlines")


def be_impossible():
    raise LeaveOut("there is no such thing here")


def measure(bench):
    """Measure something, end as the part's name says, and go on."""
    bench.add("before", {"s": Spread.of([1.0])})
    bench.case("the case", globals()[bench.part])
    bench.add("after", {"s": Spread.of([2.0, 4.0, 9.0])})
