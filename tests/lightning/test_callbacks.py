"""Averaged weights and early stopping, as the callback groups set them up."""

import copy
import json
import threading
from types import SimpleNamespace

import pytest
import torch

from lfb_lightning.lightning import ActionDataModule
from lfb_lightning.models import load_detector

pytestmark = pytest.mark.slow


def test_averaged_weights_are_validated_stored_and_loaded(pipeline, here, tmp_path):
    overrides = [*pipeline.overrides, "fbo=max", "trainer.max_epochs=1", f"hydra.run.dir={tmp_path}"]
    here("train", *overrides, "callbacks=ema", "callbacks.ema.decay=0.9")
    checkpoint = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    averaged, current = checkpoint["state_dict"], checkpoint["current_model_state"]
    name = "detector.head.weight"
    assert not torch.equal(averaged[name], current[name])
    assert torch.equal(
        load_detector(tmp_path / "checkpoints" / "last.ckpt").state_dict()["head.weight"], averaged[name]
    )
    best = json.loads((tmp_path / "metrics.json").read_text())["best_mAP"]
    here("test", f"ckpt_path={tmp_path}/checkpoints/best.ckpt", f"hydra.run.dir={tmp_path / 'test'}")
    assert json.loads((tmp_path / "test" / "metrics.json").read_text())["mAP"] == pytest.approx(best, abs=1e-6)


def test_a_task_is_copied_without_its_data_and_the_processes_of_its_trainer():
    """Averaged weights are kept in a copy of the task; a trainer with other ranks holds locks, which cannot be copied."""
    data = ActionDataModule.__new__(ActionDataModule)
    data.trainer = SimpleNamespace(processes=threading.Lock())
    assert copy.deepcopy(data.num_training_batches).__self__ is data


def test_training_ends_when_map_has_stopped_rising(pipeline, here, tmp_path):
    overrides = [
        *pipeline.overrides,
        "fbo=none",
        "trainer.max_epochs=9",
        "optim.lr=0.0",
        "trainer.limit_train_batches=1",
    ]
    stop = ["callbacks=early_stopping", "callbacks.early_stopping.patience=2", "backbone.freeze_batch_norm=true"]
    here("train", *overrides, *stop, f"hydra.run.dir={tmp_path}")
    assert json.loads((tmp_path / "metrics.json").read_text())["epochs"] == 3  # a first best, then two that are not


def test_an_epoch_without_validation_keeps_averaged_and_trained_weights_apart(pipeline, here, tmp_path):
    overrides = [*pipeline.overrides, "fbo=max", "trainer.max_epochs=1", "trainer.limit_val_batches=0", "callbacks=ema"]
    here("train", *overrides, "callbacks.ema.decay=0.9", f"hydra.run.dir={tmp_path}")
    checkpoint = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    name = "detector.head.weight"
    assert not torch.equal(checkpoint["state_dict"][name], checkpoint["current_model_state"][name])
