"""A run that was stopped in the middle of an epoch ends as the one that never was: the same weights, bit by bit."""

import json
import os
import signal
import time

import pytest
import pytorch_lightning as pl
import torch

from lfb_lightning.lightning.callbacks.last_checkpoint import LastCheckpoint
from lfb_lightning.lightning.datamodules.batching import DealtBatches
from lfb_lightning.lightning.datamodules.resumable_loader import ResumableLoader
from tests.forked import ForkedCommand

pytestmark = pytest.mark.slow


def test_a_resumed_sampler_leaves_out_what_was_given_in_that_epoch_only():
    batches = DealtBatches(20, batch_size=3, seed=1, shuffle=True)
    batches.set_epoch(2)
    whole = list(batches)
    batches.resume(2, 4)
    assert list(batches) == whole[4:]
    assert len(batches) == len(whole)
    batches.set_epoch(3)
    assert len(list(batches)) == len(whole)


class Keys(torch.utils.data.Dataset):
    def __len__(self):
        return 20

    def __getitem__(self, key):
        return torch.tensor([key.index, key.epoch])


class Recorder(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen = {}

    def training_step(self, batch, batch_idx):
        self.seen.setdefault(self.current_epoch, []).append(batch.tolist())
        return self.weight.sum()

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.filterwarnings("ignore")  # Lightning's own, of torch and of two cores
@pytest.mark.parametrize("workers", [0, 2])
def test_the_trainer_gives_every_epoch_an_order_and_augmentation_of_its_own(tmp_path, workers):
    loader = ResumableLoader(
        Keys(),
        batch_sampler=DealtBatches(20, batch_size=3, seed=1, shuffle=True),
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    task = Recorder()
    options = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "accelerator": "cpu"}
    trainer = pl.Trainer(max_epochs=3, default_root_dir=tmp_path, use_distributed_sampler=False, **options)
    trainer.fit(task, loader)
    orders = [[key[0] for batch in task.seen[epoch] for key in batch] for epoch in range(3)]
    assert all(sorted(order) == list(range(20)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3
    assert all(key[1] == epoch for epoch in range(3) for batch in task.seen[epoch] for key in batch)


def arguments(pipeline, run_dir, *more):
    return [
        *pipeline.overrides,
        "data.last_second=910",
        "fbo=nl",
        "fbo.latent_channels=16",
        "data.batch_size=4",
        "bank.features_per_second=2",
        "trainer.max_epochs=3",
        "callbacks.last.every_n_steps=5",
        "data.num_workers=1",
        f"hydra.run.dir={run_dir}",
        *more,
    ]


def weights_of(run_dir):
    return torch.load(run_dir / "checkpoints" / "last.ckpt", weights_only=True)


def assert_equal_ends(one, two):
    first, second = weights_of(one), weights_of(two)
    assert first["global_step"] == second["global_step"]
    for name, value in first["state_dict"].items():
        assert torch.equal(second["state_dict"][name], value), name
    for state, other in zip(first["optimizer_states"], second["optimizer_states"], strict=True):
        for key, values in state["state"].items():
            for name, value in values.items():
                if isinstance(value, torch.Tensor):
                    assert torch.equal(other["state"][key][name], value), (key, name)
    metrics = [json.loads((run / "metrics.json").read_text()) for run in (one, two)]
    assert metrics[0]["mAP"] == metrics[1]["mAP"]
    assert metrics[0]["best_mAP"] == metrics[1]["best_mAP"]


@pytest.fixture(scope="module")
def undisturbed(pipeline, here):
    run_dir = pipeline.folder / "undisturbed"
    here("train", *arguments(pipeline, run_dir))
    return run_dir


def stopped(command, folder, run_dir, how):
    """Start, wait for a checkpoint early in the second epoch of 15 steps, send a signal; returns status and output."""
    process = ForkedCommand("train", command, folder)
    last = run_dir / "checkpoints" / "last.ckpt"
    until = time.monotonic() + 300
    while not (last.is_file() and weights_of(run_dir)["global_step"] >= 20):
        assert time.monotonic() < until
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.02)
    if how == signal.SIGKILL:
        os.killpg(process.pid, how)
    else:
        process.send_signal(how)
    output = process.communicate(timeout=60)[0]
    return process.returncode, output


@pytest.mark.parametrize("how", [pytest.param(signal.SIGKILL, marks=pytest.mark.thorough), signal.SIGTERM])
def test_killed_and_preempted_runs_end_as_the_undisturbed_one(pipeline, here, tmp_path, undisturbed, how):
    run_dir = tmp_path / "run"
    command = arguments(pipeline, run_dir)
    status, output = stopped(command, tmp_path, run_dir, how)
    step = weights_of(run_dir)["global_step"]
    per_epoch = weights_of(undisturbed)["global_step"] // 3
    if how == signal.SIGTERM:
        assert status == 143, output
        assert "go on with ckpt_path=last" in output
        assert "Traceback" not in output
    assert step % per_epoch, "stopped in the middle of an epoch"
    here("train", *command, "ckpt_path=auto")
    assert_equal_ends(undisturbed, run_dir)


def test_the_same_run_twice_and_with_other_workers_gives_equal_weights(pipeline, here, tmp_path, undisturbed):
    here("train", *arguments(pipeline, tmp_path, "data.num_workers=0", "trainer.deterministic=true"))
    assert_equal_ends(undisturbed, tmp_path)


def test_a_run_that_ended_with_an_epoch_goes_on_with_all_that_its_callbacks_know(pipeline, here, tmp_path):
    # The first epoch's mAP is not bettered: after it the rate is zero.
    overrides = [
        *pipeline.overrides,
        "data.last_second=910",
        "fbo=max",
        "data.batch_size=8",
        "callbacks=ema_early_stopping",
        "optim=sgd",
    ]
    overrides += ["callbacks.ema.decay=0.0", "optim.lr=0.01", "optim.milestones=[1.0]", "optim.gamma=0.0"]
    overrides += ["optim.warmup_epochs=0.0", "callbacks.early_stopping.patience=2", "backbone.freeze_batch_norm=true"]
    overrides += [f"init_from={pipeline.checkpoint}"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    here("train", *overrides, "trainer.max_epochs=9", f"hydra.run.dir={whole}")
    here("train", *overrides, "trainer.max_epochs=1", f"hydra.run.dir={parts}")
    again = [*overrides, "trainer.max_epochs=9", f"hydra.run.dir={parts}", "ckpt_path=auto"]
    here("train", *again)
    assert_equal_ends(whole, parts)
    best = [torch.load(run / "checkpoints" / "best.ckpt", weights_only=True)["epoch"] for run in (whole, parts)]
    assert best == [0, 0]
    metrics = json.loads((parts / "metrics.json").read_text())
    assert metrics["epochs"] == json.loads((whole / "metrics.json").read_text())["epochs"] == 3, "ended early"
    assert (parts / "logs" / "metrics_1.csv").is_file(), "the first part's log"

    before = (parts / "metrics.json").read_bytes()
    finished = [*overrides, "trainer.max_epochs=3", f"hydra.run.dir={parts}", "ckpt_path=auto"]
    here("train", *finished)
    assert (parts / "metrics.json").read_bytes() == before, "nothing was left to do"
    (parts / "metrics.json").unlink()  # as if it was killed before it had summed up
    here("train", *finished)
    made_up = json.loads((parts / "metrics.json").read_text())
    for name in ("mAP", "best_mAP", "steps", "groups"):
        assert made_up[name] == metrics[name], name


class Evaluated(Recorder):
    def __init__(self):
        super().__init__()
        self.validations = 0

    def validation_step(self, batch, batch_idx):
        pass

    def on_validation_epoch_end(self):
        self.validations += 1


class Watch(pl.Callback):
    """Notes which step `last.ckpt` holds when an epoch's validation begins; asks to stop in the last step if told to."""

    def __init__(self, last, *, stop):
        self.last = last
        self.stop = stop
        self.held = None

    def on_train_batch_start(self, trainer, task, batch, batch_idx):
        if self.stop and batch_idx == trainer.num_training_batches - 1:
            os.kill(os.getpid(), signal.SIGTERM)

    def on_validation_start(self, trainer, task):
        self.held = torch.load(self.last, weights_only=True)["global_step"]


@pytest.mark.filterwarnings("ignore")  # Lightning's own, of torch and of two cores
@pytest.mark.parametrize("stop", [False, True])
def test_an_epochs_last_step_is_validated_before_it_is_saved(tmp_path, stop):
    last = LastCheckpoint(dirpath=str(tmp_path), every_n_steps=1)
    watch = Watch(last.path, stop=stop)
    task = Evaluated()
    loader = ResumableLoader(Keys(), batch_sampler=DealtBatches(20, batch_size=3, seed=1, shuffle=True))
    options = {"logger": False, "enable_progress_bar": False, "accelerator": "cpu", "num_sanity_val_steps": 0}
    trainer = pl.Trainer(max_epochs=1, callbacks=[watch, last], use_distributed_sampler=False, **options)
    if stop:
        with pytest.raises(SystemExit) as ended:
            trainer.fit(task, loader, loader)
        assert ended.value.code == 143
    else:
        trainer.fit(task, loader, loader)
    assert task.validations == 1
    assert watch.held == 6
    assert torch.load(last.path, weights_only=True)["global_step"] == 7
