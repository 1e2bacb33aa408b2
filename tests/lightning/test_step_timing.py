"""The parts of a step add up to the step, whatever else is profiled; waiting for data is warned about."""

import csv

import pytest
from pytorch_lightning.profilers import PassThroughProfiler, Profiler

from lfb_lightning.lightning.callbacks import step_clock
from lfb_lightning.lightning.callbacks.step_clock import PARTS, StepClock


class Recorded(Profiler):
    """Keeps the names of what was started."""

    def __init__(self):
        super().__init__()
        self.started = []

    def start(self, action_name):
        self.started.append(action_name)

    def stop(self, action_name):
        pass


@pytest.fixture
def now(monkeypatch):
    time = [0.0]
    monkeypatch.setattr(step_clock.time, "perf_counter", lambda: time[0])
    return time


def spend(clock, now, name, seconds, within=()):
    with clock.profile(name):
        for inner in within:
            spend(clock, now, *inner)
        now[0] += seconds


def test_optimizer_is_what_forward_and_backward_leave_of_its_step_and_all_parts_add_up(now):
    inner = Recorded()
    clock = StepClock(inner, synchronize=False)
    spend(clock, now, "[_TrainingEpochLoop].train_dataloader_next", 1.0)
    spend(clock, now, "[LightningDataModule]Data.on_before_batch_transfer", 0.25)
    spend(clock, now, "[Strategy]DDPStrategy.batch_to_device", 0.25)
    parts = [("[Strategy]DDPStrategy.training_step", 2.0), ("[Strategy]DDPStrategy.backward", 4.0)]
    spend(clock, now, "[LightningModule]Task.optimizer_step", 8.0, parts)
    spend(clock, now, "[Callback]Anything.on_train_batch_end", 16.0)
    taken = clock.take()
    expected = {"data_wait": 1.0, "transfer": 0.5, "forward": 2.0, "backward": 4.0, "optimizer": 8.0, "other": 16.0}
    assert taken == {**expected, "step": 31.5}
    assert clock.take() == dict.fromkeys((*PARTS, "step"), 0.0)
    assert len(inner.started) == 7, "the profiler that was asked for sees everything"


def test_accumulated_batch_without_an_optimizer_step(now):
    clock = StepClock(PassThroughProfiler(), synchronize=False)
    spend(clock, now, "[Strategy]SingleDeviceStrategy.training_step", 2.0)
    spend(clock, now, "[Strategy]SingleDeviceStrategy.backward", 1.0)
    taken = clock.take()
    assert (taken["optimizer"], taken["other"], taken["step"]) == (0.0, 0.0, 3.0)


@pytest.mark.slow
def test_training_logs_the_parts_and_warns_of_waiting(pipeline, here, tmp_path):
    overrides = [
        *pipeline.overrides,
        "fbo=avg",
        "data.batch_size=1",
        "trainer.max_epochs=1",
        "callbacks.timing.most_waiting=0.0",
    ]
    overrides += ["trainer.limit_train_batches=30", "trainer.log_every_n_steps=5", "trainer.limit_val_batches=1"]
    done = here("train", *overrides, f"hydra.run.dir={tmp_path}")
    assert "went to waiting for data: raise data.num_workers (now 0;" in done.stdout
    assert "a step took" in done.stdout
    with next((tmp_path / "logs").rglob("metrics.csv")).open() as file:
        rows = [row for row in csv.DictReader(file) if row["time/step_ms"]]
    assert len(rows) == 5, "30 steps, the first three left out, a mean of every five"
    for row in rows:
        assert sum(float(row[f"time/{part}_ms"]) for part in PARTS) == pytest.approx(
            float(row["time/step_ms"]), rel=1e-3
        )
        assert float(row["time/clips_per_s"]) == pytest.approx(1000 / float(row["time/step_ms"]), rel=1e-3)


@pytest.mark.slow
def test_profile_leaves_a_table_and_a_trace(pipeline, here, tmp_path):
    overrides = [*pipeline.overrides, "fbo=avg", "debug=profile", "data.batch_size=2"]
    here("train", *overrides, f"hydra.run.dir={tmp_path}")
    table = (tmp_path / "profile" / "fit-profile.txt").read_text()
    steps = next(line for line in table.splitlines() if line.strip().startswith("ProfilerStep*"))
    assert steps.split()[-1] == "15"
    assert "backward" in table.lower()
    assert list((tmp_path / "profile").glob("*.json"))
