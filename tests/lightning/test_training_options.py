"""Options that change what is learned, each seen in what a real run leaves."""

import json

import pandas as pd
import pytest
import torch

from lfb_lightning.models import load_detector

pytestmark = pytest.mark.slow
DDP = ["trainer.accelerator=cpu", "trainer.devices=2", "trainer.strategy=ddp"]


def metrics_of(run_dir):
    return json.loads((run_dir / "metrics.json").read_text())


def test_subset_of_the_classes_is_learned_and_evaluated(pipeline, here, tmp_path):
    overrides = [*pipeline.overrides, "fbo=none", "data.classes=[1,12]", "trainer.max_epochs=1"]
    here("train", *overrides, "trainer.limit_train_batches=4", f"hydra.run.dir={tmp_path}")
    here("test", f"ckpt_path={tmp_path}/checkpoints/best.ckpt", f"hydra.run.dir={tmp_path / 'test'}")
    rows = pd.read_csv(tmp_path / "test" / "results.csv", header=None)
    assert set(rows[6]) == {1, 12}
    found = metrics_of(tmp_path / "test")
    assert found["mAP"] == pytest.approx(metrics_of(tmp_path)["best_mAP"], abs=1e-6)
    # Columns that are not learned have no loss: their part of the head is as it was made.
    one, other = (torch.load(path, weights_only=True) for path in (tmp_path / "checkpoints").glob("*.ckpt"))
    for checkpoint in (one, other):
        bias = checkpoint["state_dict"]["detector.head.bias"]
        assert {index for index, value in enumerate(bias.tolist()) if value} == {1, 12}


def test_single_label_scores_are_a_distribution_in_a_test_too_and_small_ones_are_left_out(pipeline, here, tmp_path):
    overrides = [*pipeline.overrides, "fbo=none", "loss=softmax", "trainer.max_epochs=1"]
    here("train", *overrides, "trainer.limit_train_batches=4", f"hydra.run.dir={tmp_path}")
    test = ["test", f"ckpt_path={tmp_path}/checkpoints/best.ckpt"]
    here(*test, f"hydra.run.dir={tmp_path / 'all'}")
    here(*test, f"hydra.run.dir={tmp_path / 'some'}", "task.action_threshold=0.1")
    rows, some = (pd.read_csv(tmp_path / name / "results.csv", header=None) for name in ("all", "some"))
    sums = rows.groupby([0, 1, 2, 3, 4, 5])[7].sum()
    assert sums.between(0.99, 1.01).mean() > 0.9, "equal boxes of two persons aside"
    assert len(some) == (rows[7] > 0.1).sum() < len(rows)
    assert some[7].min() > 0.1


@pytest.mark.parametrize(
    "ranks", [pytest.param([], id="one_process"), pytest.param(DDP, id="two", marks=pytest.mark.thorough)]
)
def test_backbone_waits_for_its_epoch(ranks, pipeline, here, console, tmp_path):
    overrides = [*pipeline.overrides, "fbo=max", "task.frozen_epochs=1", f"init_from={pipeline.checkpoint}", *ranks]
    overrides += ["optim=sgd", "optim.lr=0.05", "optim.optimizer.weight_decay=0.1", "trainer.limit_train_batches=3"]
    before = load_detector(pipeline.checkpoint).backbone.state_dict()
    for epochs in (1, 2):
        run = ["trainer.max_epochs=" + str(epochs), f"hydra.run.dir={tmp_path}", "ckpt_path=auto"]
        (console if ranks else here)("train", *overrides, *run)
        last = load_detector(tmp_path / "checkpoints" / "last.ckpt")
        same = {name: torch.equal(value, before[name]) for name, value in last.backbone.state_dict().items()}
        assert (
            all(same.values())
            if epochs == 1
            else not any(equal for name, equal in same.items() if name.endswith("running_mean"))
        ), same
        assert last.head.weight.abs().sum() > 0


def test_rare_actions_are_drawn_more_often(pipeline, here, tmp_path):
    overrides = [*pipeline.overrides, "fbo=none", "data.class_balance=1.0", "trainer.max_epochs=1"]
    here("train", *overrides, "trainer.limit_train_batches=3", f"hydra.run.dir={tmp_path}")
    assert metrics_of(tmp_path)["steps"] == 3
    failed = here("train", *overrides, "data.class_balance=2.0", f"hydra.run.dir={tmp_path / 'bad'}", fails=True)
    assert "data.class_balance is 2" in failed.stderr
