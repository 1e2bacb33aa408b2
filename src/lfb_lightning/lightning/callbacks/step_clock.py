"""A profiler that adds up the parts of a training step, and passes everything on to the user's own profiler."""

from __future__ import annotations

import time
from collections import defaultdict
from functools import cache

import torch
from pytorch_lightning.profilers import Profiler

PARTS = ("data_wait", "transfer", "forward", "backward", "optimizer", "other")
# The ends of Lightning's action names; `optimizer_step` encloses forward and backward.
_ACTIONS = {
    ".train_dataloader_next": "data_wait",
    ".on_before_batch_transfer": "transfer",
    ".batch_to_device": "transfer",
    "Strategy.training_step": "forward",
    "Strategy.backward": "backward",
    ".optimizer_step": "optimizer",
}


class StepClock(Profiler):
    """Measures the seconds of each part of training steps.

    Args:
        inner: The profiler that was there before, which sees every action too.
        synchronize: Whether to wait for the GPU at the beginning and end of each part.
    """

    def __init__(self, inner: Profiler, *, synchronize: bool) -> None:
        super().__init__()
        self.inner = inner
        self._synchronize = synchronize and torch.cuda.is_available()
        self._began: dict[str, float] = {}
        self._seconds: dict[str, float] = defaultdict(float)
        self._last = time.perf_counter()

    def start(self, action_name: str) -> None:
        """Begin an action, which may be a part of a step or any other."""
        self.inner.start(action_name)
        if _part(action_name) is not None:
            self._began[action_name] = self._now()

    def stop(self, action_name: str) -> None:
        """End an action, and add its time to the part of a step that it is."""
        part = _part(action_name)
        if part is not None and action_name in self._began:
            self._seconds[part] += self._now() - self._began.pop(action_name)
        self.inner.stop(action_name)

    def take(self) -> dict[str, float]:
        """Return the seconds of every part of `PARTS` since the last call, and begin anew.

        Returns:
            Seconds by part, with `step`, the time since the last call, and `other`, what no part has.
        """
        now = self._now()
        seconds = {part: self._seconds.get(part, 0.0) for part in PARTS}
        if seconds["optimizer"] > 0:
            seconds["optimizer"] = max(0.0, seconds["optimizer"] - seconds["forward"] - seconds["backward"])
        seconds["other"] = max(0.0, now - self._last - sum(seconds.values()))
        seconds["step"] = now - self._last
        self._last = now
        self._seconds.clear()
        return seconds

    def summary(self) -> str:
        """Return the summary of the other profiler."""
        return self.inner.summary()

    def setup(self, stage: str, local_rank: int | None = None, log_dir: str | None = None) -> None:
        """Set the other profiler up."""
        self.inner.setup(stage, local_rank=local_rank, log_dir=log_dir)

    def describe(self) -> None:
        """Let the other profiler report."""
        self.inner.describe()

    def teardown(self, stage: str | None) -> None:
        """Close the other profiler."""
        self.inner.teardown(stage)

    def _now(self) -> float:
        if self._synchronize:
            torch.cuda.synchronize()
        return time.perf_counter()


@cache
def _part(action_name: str) -> str | None:
    return next((part for ending, part in _ACTIONS.items() if action_name.endswith(ending)), None)
