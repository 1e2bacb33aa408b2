"""A run that was stopped in the middle of an epoch ends as the one that never was: the same weights, bit by bit."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import pytorch_lightning as pl
import torch

from lfb_lightning.data.batching import DealtBatches
from lfb_lightning.tasks.resumable_loader import ResumableLoader

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
def undisturbed(pipeline, console):
    run_dir = pipeline.folder / "undisturbed"
    console("train", *arguments(pipeline, run_dir))
    return run_dir


def stopped(command, folder, run_dir, how):
    """Start, wait for the second epoch's first periodic checkpoint, send a signal; returns status and output."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "lfb_lightning.cli.train", *command],
        cwd=folder,
        env=environment,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    last = run_dir / "checkpoints" / "last.ckpt"
    until = time.monotonic() + 120
    while not (last.is_file() and weights_of(run_dir)["global_step"] >= 25):
        assert time.monotonic() < until
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.02)
    if how == signal.SIGKILL:
        os.killpg(process.pid, how)
    else:
        process.send_signal(how)
    output = process.communicate(timeout=60)[0]
    return process.returncode, output


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_killed_and_preempted_runs_end_as_the_undisturbed_one(pipeline, console, tmp_path, undisturbed, how):
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
    console("train", *command, "ckpt_path=auto")
    assert_equal_ends(undisturbed, run_dir)


def test_the_same_run_twice_and_with_other_workers_gives_equal_weights(pipeline, console, tmp_path, undisturbed):
    console("train", *arguments(pipeline, tmp_path, "data.num_workers=0", "trainer.deterministic=true"))
    assert_equal_ends(undisturbed, tmp_path)
