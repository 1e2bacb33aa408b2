"""What needs a CUDA device: half precision with loss scaling, batch norm over two GPUs, not waiting for it, equal banks.

`test_syncs.py` counts the waits on a simulated device; here CUDA itself refuses them.
"""

import json

import pytest
import torch
from pytorch_lightning import Callback

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


class NoWaiting(Callback):
    """From a stage's second batch to its last, CUDA refuses what makes the host wait, copies that block among it.

    Not what waits for an event, as the late look at the losses does.
    """

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        torch.cuda.set_sync_debug_mode("default" if trainer.is_last_batch else "error")

    def on_validation_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0):
        torch.cuda.set_sync_debug_mode("error")

    on_test_batch_end = on_predict_batch_end = on_validation_batch_end

    def on_validation_epoch_end(self, trainer, pl_module):
        torch.cuda.set_sync_debug_mode("default")

    on_train_epoch_end = on_test_epoch_end = on_predict_epoch_end = on_validation_epoch_end
    on_validation_start = on_validation_epoch_end


STRICT = f"+callbacks.strict._target_={__name__}.NoWaiting"


@pytest.fixture
def asking_freely():
    """Whatever a test does, the next one may wait for the device again."""
    yield
    torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("precision", ["32", "bf16-mixed"])  # loss scaling of 16-mixed asks the device at every step
@pytest.mark.parametrize("fbo", ["nl", "avg", "max", "xattn"])
def test_no_step_and_no_validated_batch_waits(fbo, precision, asking_freely, pipeline, here, tmp_path):
    options = [f"fbo={fbo}", f"trainer.precision={precision}", "trainer.max_epochs=1", "callbacks=ema"]
    limits = ["trainer.limit_train_batches=6", "data.batch_size=4", "trainer.log_every_n_steps=2"]
    here("train", *pipeline.overrides, *options, *limits, *ONE_GPU, STRICT, f"hydra.run.dir={tmp_path}")


def test_a_step_that_waits_is_refused(asking_freely):
    torch.cuda.set_sync_debug_mode("error")
    number = torch.ones((), device="cuda")
    with pytest.raises(RuntimeError, match="synchroniz"):
        number.item()


def test_no_tested_batch_waits(asking_freely, pipeline, here, tmp_path):
    options = ["data.test_flip=true", "data.batch_size=4", *ONE_GPU, f"hydra.run.dir={tmp_path}"]
    here("test", *pipeline.overrides, f"ckpt_path={pipeline.checkpoint}", *options, STRICT)


def test_no_extracted_batch_waits_but_for_the_one_before(asking_freely, pipeline, here, tmp_path):
    options = [f"bank.dir={tmp_path / 'bank'}", "split=val", "data.batch_size=8", *ONE_GPU, f"hydra.run.dir={tmp_path}"]
    here("extract", *pipeline.overrides, f"ckpt_path={pipeline.checkpoint}", *options, STRICT)


@pytest.mark.parametrize("precision", ["32", "bf16-mixed"])
def test_a_bank_has_the_same_bytes_whoever_decodes(precision, pipeline, here, tmp_path):
    banks = []
    for workers in (0, 0, 2):
        folder = tmp_path / str(len(banks))
        options = [f"bank.dir={folder / 'bank'}", "split=val", "data.batch_size=8", f"data.num_workers={workers}"]
        options += [f"trainer.precision={precision}", *ONE_GPU, f"hydra.run.dir={folder}"]
        here("extract", *pipeline.overrides, f"ckpt_path={pipeline.checkpoint}", *options)
        banks.append({path.name: path.read_bytes() for path in (folder / "bank" / "val").glob("*.safetensors")})
    assert len(banks[0]) == 3
    assert banks[0] == banks[1] == banks[2]
