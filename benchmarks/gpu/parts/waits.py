"""How often the host waits for the GPU in a training step of the package's own task under Lightning's trainer.

On a GPU, CUDA itself tells (`set_sync_debug_mode`), and waits for an event are counted beside. On a CPU the same training runs
on the tests' simulated device.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytorch_lightning as pl
import torch
from pytorch_lightning.accelerators import CPUAccelerator
from pytorch_lightning.strategies import SingleDeviceStrategy

from benchmarks.gpu.bench import Bench, LeaveOut
from benchmarks.gpu.detectors import draw_batch, make_detector
from benchmarks.timing import Spread
from lfb_lightning import movable
from lfb_lightning.clips.normalize import normalize
from lfb_lightning.lightning import DetectionTask, Optimization
from lfb_lightning.models import MultiLabelLoss
from lfb_lightning.structures import ClipBatch

Seen = Callable[[], list[str]]  # what was waited for so far, and where
EVENT = "the end of what the GPU was given"


def measure(bench: Bench) -> None:
    """Count the waits of a training in each precision."""
    watched = _on_cuda if bench.device == "cuda" else _simulated
    for precision in ("32-true", "bf16-mixed") if bench.device == "cuda" else ("32-true",):
        bench.case(f"training step, {precision}", _count, bench, watched, precision)


def _count(bench: Bench, watched: Callable[[], AbstractContextManager[Seen]], precision: str) -> None:
    backbone, sizes = bench.sizes.backbones[0], bench.sizes
    detector = make_detector(backbone, sizes)
    batches = [draw_batch(backbone, sizes, channels=detector.bank_channels) for _ in range(sizes.steps)]
    task = DetectionTask(
        detector=detector,
        loss=MultiLabelLoss(),
        optimization=Optimization(optimizer=partial(torch.optim.SGD, momentum=0.9), lr=1e-3, base_batch_size=64),
        evaluator=lambda threshold: None,  # nothing is evaluated
        batch_size=sizes.clips,
        num_training_batches=lambda: sizes.steps,
        config_text="",
    )
    with warnings.catch_warnings(), watched() as seen:
        per_step = PerStep(seen)
        make_trainer(bench, precision, [per_step], log_every_n_steps=1, gradient_clip_val=20.0).fit(
            task, Ready(batches)
        )
    later = per_step.waits[1:]  # the first step makes what the others find
    places = Counter(wait for waits in later for wait in waits)
    note = "; ".join(f"{number} x {place}" for place, number in places.most_common(3))
    bench.add(f"training step, {precision}", {"waits per step": Spread.of([len(waits) for waits in later])}, note)


def make_trainer(bench: Bench, precision: str, callbacks: list[pl.Callback], **options: Any) -> pl.Trainer:
    """Make a trainer for one device that shows and keeps nothing."""
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "barebones": False}
    return pl.Trainer(
        accelerator="gpu" if bench.device == "cuda" else "cpu",
        devices=1,
        precision=precision,
        max_epochs=1,
        default_root_dir=bench.folder,
        enable_model_summary=False,
        callbacks=callbacks,
        **quiet,
        **options,
    )


class Ready(pl.LightningDataModule):
    """Serves batches that are there already, by way of page-locked memory where there is a GPU."""

    def __init__(self, batches: list[ClipBatch]) -> None:
        super().__init__()
        self.batches = batches

    def train_dataloader(self) -> Any:
        pinned = [batch.pin_memory() for batch in self.batches] if torch.cuda.is_available() else self.batches
        return torch.utils.data.DataLoader(pinned, batch_size=None, collate_fn=_as_it_is)

    def on_after_batch_transfer(self, batch: ClipBatch, dataloader_idx: int) -> ClipBatch:
        return normalize(batch, mean=(0.45,) * 3, std=(0.225,) * 3)


def _as_it_is(batch: ClipBatch) -> ClipBatch:
    return batch


class PerStep(pl.Callback):
    """Keeps what waited from the end of one batch to the end of the next: its transfer, its step, what is logged of it."""

    def __init__(self, seen: Seen) -> None:
        self.waits: list[list[str]] = []
        self._seen, self._before = seen, 0

    def on_train_batch_end(self, *_: Any) -> None:
        seen = self._seen()
        self.waits.append(seen[self._before :])
        self._before = len(seen)


class Told:
    """What waited in its order: CUDA's warnings, and waits for events, of which it says nothing.

    Args:
        warned: The warnings so far; more are appended.
    """

    def __init__(self, warned: list[warnings.WarningMessage]) -> None:
        self._warned, self._looked_at = warned, 0
        self._waits: list[str] = []

    def event(self) -> None:
        """Note a wait for an event."""
        self()
        self._waits.append(EVENT)

    def __call__(self) -> list[str]:
        """List what waited so far."""
        new = self._warned[self._looked_at :]
        self._looked_at = len(self._warned)
        self._waits += [
            f"{Path(one.filename).name}:{one.lineno}"
            for one in new
            if "called a synchronizing CUDA operation" in str(one.message)
        ]
        return [*self._waits]


@contextmanager
def _on_cuda() -> Iterator[Seen]:
    """Let CUDA tell what waits, and count waits for events."""
    queue_end = movable.queue_end

    def counted(device: torch.device) -> Callable[[], None]:
        wait = queue_end(device)

        def noted() -> None:
            told.event()
            wait()

        return noted

    with warnings.catch_warnings(record=True) as warned, patch.object(movable, "queue_end", counted):
        told = Told(warned)
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield told
        finally:
            torch.cuda.set_sync_debug_mode("default")


@contextmanager
def _simulated() -> Iterator[Seen]:
    """Let the CPU pass for a GPU, whose waits the tests' simulation notes."""
    if importlib.util.find_spec("tests") is None or importlib.util.find_spec("tests.simulated_device") is None:
        raise LeaveOut("the simulated device is in the tests, which are not here")
    from tests.simulated_device import DEVICE, SimulatedDevice

    simulated = SimulatedDevice()
    with (
        patch.object(movable, "queue_end", lambda where: lambda: simulated.waited(EVENT)),
        patch.object(SingleDeviceStrategy, "root_device", property(lambda self: DEVICE)),
        patch.object(CPUAccelerator, "setup_device", lambda self, device: None),
        simulated,
    ):
        yield lambda: [wait.replace(str(Path(__file__).parents[3]), "").lstrip("/") for wait in simulated.waits]
