"""What needs a CUDA device: half precision with loss scaling, and batch norm statistics over two GPUs."""

import json

import pytest
import torch

pytestmark = [pytest.mark.gpu, pytest.mark.slow]
ONE_GPU = ["trainer.accelerator=gpu", "trainer.devices=1"]


@pytest.mark.parametrize("precision", ["32", "bf16-mixed", "16-mixed"])
@pytest.mark.parametrize("fbo", ["nl", "max"])
def test_precisions_train_to_about_the_same_loss(precision, fbo, pipeline, console, tmp_path):
    overrides = [*pipeline.overrides, f"fbo={fbo}", f"trainer.precision={precision}", "trainer.max_epochs=1", *ONE_GPU]
    console("train", *overrides, f"hydra.run.dir={tmp_path / 'gpu'}")
    cpu = [*pipeline.overrides, f"fbo={fbo}", "trainer.max_epochs=1", f"hydra.run.dir={tmp_path / 'cpu'}"]
    console("train", *cpu)
    losses = [
        json.loads((tmp_path / name / "metrics.json").read_text())["logged"]["train/loss_epoch"]
        for name in ("gpu", "cpu")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="torch's SyncBatchNorm needs GPUs, this test two")
def test_synchronized_batch_norm_equals_one_process(pipeline, console, tmp_path):
    common = [*pipeline.overrides, "fbo=max", "trainer.max_epochs=1", "trainer.limit_train_batches=4", "optim=sgd"]
    runs = {"one": ["data.batch_size=8", *ONE_GPU], "two": ["data.batch_size=4", "trainer.sync_batchnorm=true"]}
    runs["two"] += ["trainer.accelerator=gpu", "trainer.devices=2", "trainer.strategy=ddp"]
    for name, extra in runs.items():
        console("train", *common, "model.dropout=0.0", *extra, f"hydra.run.dir={tmp_path / name}")
    one, two = (torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True) for name in runs)
    for name, value in one["state_dict"].items():
        torch.testing.assert_close(two["state_dict"][name], value, atol=1e-4, rtol=1e-3, msg=name)
