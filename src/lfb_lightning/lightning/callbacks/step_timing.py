"""Logs where a training step's time goes, and warns when it goes to waiting for data."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.profilers import PassThroughProfiler, Profiler

from lfb_lightning.lightning.callbacks.step_clock import PARTS, StepClock
from lfb_lightning.structures import ClipBatch

_log = logging.getLogger(__name__)
_FIRST_STEPS = 3  # left out: workers start, caches fill, kernels are chosen
_WARN_AFTER = 20
_REMEDY = (
    "%.0f%% of %d steps went to waiting for data: raise data.num_workers (now %s; one per core at most), decode once with "
    "`lfb-cache` (data.source=cache; of AVA's formats) or extract frames (data.source=frames), or, with a frozen backbone, "
    "train on stored features (data.short_term=bank)."
)


class StepTiming(Callback):
    """Logs `time/<part>_ms` and `time/clips_per_s` (all ranks) as means over the trainer's logging interval.

    The parts are those of `StepClock`: waiting for the loader, gathering windows and moving the batch to the device,
    forward, backward, optimizer, the rest.

    Args:
        most_waiting: Share of the time, 0 to 1. Once more than this has gone to waiting for data, a warning says what
            helps.
        synchronize: Whether to wait for the GPU at the end of each part; without it, a GPU's work shows where the host
            comes to wait for it.
    """

    def __init__(self, *, most_waiting: float = 0.1, synchronize: bool = False) -> None:
        self.most_waiting = most_waiting
        self.synchronize = synchronize
        self.clock = StepClock(PassThroughProfiler(), synchronize=False)
        self._all: defaultdict[str, float] = defaultdict(float)
        self._recent: defaultdict[str, float] = defaultdict(float)
        self._seen = 0
        self._warned = False

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Put the clock around the trainer's profiler."""
        profiler: Profiler = trainer.profiler  # type: ignore[attr-defined]
        if stage == "fit" and not isinstance(profiler, StepClock):
            self.clock = StepClock(profiler, synchronize=self.synchronize)
            trainer.profiler = self.clock  # type: ignore[attr-defined]

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to count: what was before the first step belongs to none."""
        self.clock.take()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to count anew: the time of validation belongs to no step."""
        self.clock.take()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: ClipBatch, batch_idx: int
    ) -> None:
        """Count the step; log and warn when it is time to."""
        step = self.clock.take() | {"steps": 1, "clips": len(batch.keyframes) * trainer.world_size}
        self._seen += 1
        if self._seen <= _FIRST_STEPS:
            return
        for sums in (self._all, self._recent):
            for name, value in step.items():
                sums[name] += value
        if self._recent["steps"] >= trainer.log_every_n_steps:  # type: ignore[attr-defined]
            for logger in trainer.loggers:
                logger.log_metrics(_figures(self._recent), step=trainer.global_step)
            self._recent.clear()
        waited = self._all["data_wait"] / self._all["step"]
        if not self._warned and self._all["steps"] >= _WARN_AFTER and waited > self.most_waiting:
            self._warned = True
            if trainer.is_global_zero:
                workers = getattr(trainer.train_dataloader, "num_workers", None)
                _log.warning(_REMEDY, 100 * waited, self._all["steps"], workers)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the shares of the time over the whole training."""
        if trainer.is_global_zero and self._all:
            _log.info("%s", _describe(self._all))


def _figures(sums: Mapping[str, float]) -> dict[str, float]:
    return {f"time/{part}_ms": 1000 * sums[part] / sums["steps"] for part in (*PARTS, "step")} | {
        "time/clips_per_s": sums["clips"] / sums["step"]
    }


def _describe(sums: Mapping[str, float]) -> str:
    parts = ", ".join(f"{part.replace('_', ' ')} {sums[part] / sums['step']:.0%}" for part in PARTS)
    return (
        f"a step took {1000 * sums['step'] / sums['steps']:.1f} ms: {parts}; {sums['clips'] / sums['step']:.1f} clips/s"
    )
