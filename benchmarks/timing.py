"""Measuring: works that are compared run in turn, so that a drifting machine drifts for all; GPUs are waited for; peaks of memory."""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

Clock = Callable[[], float]


@dataclass(frozen=True)
class Spread:
    """What several measurements of one quantity gave.

    Args:
        median: The middle one.
        lowest: The least.
        highest: The largest.
        n: How many there were.
    """

    median: float
    lowest: float
    highest: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float], *, factor: float = 1.0) -> Spread:
        """Sum up measurements, multiplied by a factor that changes their unit."""
        scaled = [factor * value for value in values]
        return cls(statistics.median(scaled), min(scaled), max(scaled), len(scaled))

    def rate(self, number: float) -> Spread:
        """Give the rates at which `number` things are done, where this is the time that they took together."""
        return Spread(number / self.median, number / self.highest, number / self.lowest, self.n)

    def __str__(self) -> str:
        if self.n == 1:
            return f"{self.median:.4g}"
        return f"{self.median:.4g} ({self.lowest:.4g} .. {self.highest:.4g})"


def finish(device: str) -> None:
    """Wait until a GPU has done what it was given."""
    if device != "cpu":
        torch.cuda.synchronize()


def seconds_of(work: Callable[[], Any], *, device: str = "cpu", clock: Clock = time.perf_counter) -> float:
    """Measure how long a piece of work takes, from an idle device to an idle device.

    Args:
        work: The work.
        device: Where it is done: "cpu", or that of CUDA.
        clock: `time.process_time` for CPU seconds.
    """
    finish(device)
    began = clock()
    work()
    finish(device)
    return clock() - began


def in_turn(
    works: Mapping[str, Callable[[], Any]],
    *,
    rounds: int,
    warm_up: int = 1,
    device: str = "cpu",
    clock: Clock = time.perf_counter,
    until: float | None = None,
) -> dict[str, list[float]]:
    """Measure several works one after the other, round by round, every second round in the opposite order.

    Args:
        works: By their names.
        rounds: How often each is measured.
        warm_up: Rounds before these, which are not counted.
        device: Where the work is done.
        clock: What is measured with.
        until: The moment of `time.monotonic` after which no further round begins; the first counted one is always made.

    Returns:
        The seconds of each work, in the order of the rounds.
    """
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for number in range(warm_up + rounds):
        if until is not None and number > warm_up and time.monotonic() > until:
            break
        for name in [*works] if number % 2 else [*works][::-1]:
            taken = seconds_of(works[name], device=device, clock=clock)
            if number >= warm_up:
                seconds[name].append(taken)
    return seconds


def ratios(seconds: Mapping[str, Sequence[float]], ours: str, theirs: str) -> list[float]:
    """Divide the seconds of one work by those of another, round by round."""
    return [one / other for one, other in zip(seconds[ours], seconds[theirs], strict=True)]


def peak_kilobytes() -> int:
    """Read this process's peak memory; `getrusage` would give its parent's where that is higher."""
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])


def peak_gib(work: Callable[[], Any], *, device: str = "cpu") -> float:
    """Do a piece of work, and measure the most memory that there was meanwhile, in GiB: allocated on a GPU, or resident."""
    gc.collect()
    if device != "cpu":
        torch.cuda.reset_peak_memory_stats()
        work()
        finish(device)
        return torch.cuda.max_memory_allocated() / 2**30
    clear = Path("/proc/self/clear_refs")
    if not clear.exists():  # Linux's own
        work()
        return math.nan
    clear.write_text("5")  # the peak counts from now on
    work()
    return peak_kilobytes() / 2**20
