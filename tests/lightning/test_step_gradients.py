"""A step's gradients are the mean over its persons, however they are spread over batches; a spoilt step changes nothing."""

import json
import tempfile

import pytest
import pytorch_lightning as pl
import torch
import torch.distributed as dist
from hypothesis import given, settings
from hypothesis import strategies as st
from pytorch_lightning import Callback

from lfb_lightning.errors import InputError
from lfb_lightning.lightning.callbacks.last_checkpoint import LastCheckpoint
from lfb_lightning.lightning.callbacks.stop_signals import StopSignals
from lfb_lightning.lightning.modules.detection import DetectionTask
from lfb_lightning.lightning.modules.optimization import Optimization
from lfb_lightning.lightning.modules.step_gradients import StepGradients
from lfb_lightning.metrics.segment_evaluator import SegmentAccuracy
from lfb_lightning.models.losses import MultiLabelLoss
from lfb_lightning.structures import ClipBatch, Keyframe
from tests.cli.in_process import run
from tests.models.test_detector import CLIPS, ROIS, tiny


@settings(max_examples=40, deadline=None)
@given(sizes=st.lists(st.integers(0, 5), min_size=1, max_size=5), seed=st.integers(0, 99))
def test_batches_of_any_sizes_add_up_to_one(sizes, seed):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(sum(sizes), 4, generator=generator)
    labels = (torch.rand(sum(sizes), 6, generator=generator) < 0.3).float()
    labels[:, 0] = 0
    whole, parts = (torch.nn.Linear(4, 6) for _ in range(2))
    parts.load_state_dict(whole.state_dict())
    MultiLabelLoss()(whole(x), labels).backward()
    step = StepGradients()
    for rows, row_labels in zip(x.split(sizes), labels.split(sizes), strict=True):
        total, count = MultiLabelLoss().sum(parts(rows), row_labels)
        mean = step.add(total, count)
        assert step.means()[-1] == mean
        assert mean.item() == pytest.approx((total / count.clamp(min=1)).item())
        total.backward()
    assert step.finish(parts.parameters())
    for one, other in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, atol=1e-6, rtol=1e-5)


@pytest.fixture
def one_rank(monkeypatch):
    """A process group of this process alone; how often ranks exchanged something."""
    exchanged = []
    with tempfile.TemporaryDirectory() as folder:
        dist.init_process_group("gloo", init_method=f"file://{folder}/group", rank=0, world_size=1)
        all_reduce = dist.all_reduce
        monkeypatch.setattr(dist, "all_reduce", lambda *a, **k: [exchanged.append(1), all_reduce(*a, **k)][1])
        yield exchanged
        dist.destroy_process_group()


def test_the_wish_to_stop_travels_with_the_loss(one_rank):
    layer, signals, task = torch.nn.Linear(2, 1), StopSignals(), pl.LightningModule()
    task.carried_stop = step = StepGradients()
    step.asked = lambda: signals.asked
    for asked, batches in ((False, 1), (True, 2), (False, 1)):
        for batch in range(batches):
            signals.asked = asked and batch == 1
            total = layer(torch.ones(1, 2)).sum()
            step.add(total, torch.ones(()))
            total.backward()
        assert step.finish(layer.parameters())
        assert signals.asked_after_step(task, torch.device("cpu")) is (batches == 2)
    assert len(one_rank) == 4, "one exchange per batch and no other"
    signals.asked = True
    assert signals.asked_after_step(pl.LightningModule(), torch.device("cpu"))
    assert len(one_rank) == 5, "another task has an exchange of its own"


class Fitted(pl.LightningModule):
    """A task that carries the wish to stop, as `DetectionTask` does."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
        self.carried_stop = StepGradients()

    def training_step(self, batch, batch_index):
        total = self.layer(batch).sum()
        self.carried_stop.add(total, torch.ones(()))
        return total

    def on_before_optimizer_step(self, optimizer):
        self.carried_stop.finish(self.parameters())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.mark.filterwarnings("ignore")  # Lightning's of torch
def test_a_step_of_several_ranks_exchanges_once_beside_the_gradients(one_rank, tmp_path, monkeypatch):
    monkeypatch.setattr(pl.Trainer, "world_size", 2)  # as far as Lightning's loop asks
    broadcast = dist.broadcast
    monkeypatch.setattr(dist, "broadcast", lambda *a, **k: [one_rank.append("broadcast"), broadcast(*a, **k)][1])
    counts = {}
    for callbacks in ([], [LastCheckpoint(dirpath=str(tmp_path))]):
        one_rank.clear()
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "max_epochs": 1}
        trainer = pl.Trainer(accelerator="cpu", callbacks=callbacks, enable_checkpointing=bool(callbacks), **quiet)
        trainer.fit(Fitted(), torch.utils.data.DataLoader(torch.ones(5, 2)))
        counts[len(callbacks)] = (one_rank.count(1), one_rank.count("broadcast"))
        assert "_broadcast_sigterm_tensor" not in vars(trainer.fit_loop.epoch_loop)
    assert counts == {0: (5, 5), 1: (5, 0)}, "Lightning's own broadcast, which our signals make needless"


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_step_with_one_spoilt_batch_is_dropped_and_the_next_one_is_not(bad):
    layer = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1)
    before = layer.weight.detach().clone()
    step = StepGradients()
    for value in (1.0, bad):
        total = layer(torch.full((1, 2), value)).sum()
        step.add(total, torch.ones(()))
        total.backward()
    assert not step.finish(layer.parameters())
    optimizer.step()
    assert torch.equal(layer.weight, before)
    optimizer.zero_grad()
    total = layer(torch.ones(1, 2)).sum()
    step.add(total, torch.ones(()))
    total.backward()
    assert step.finish(layer.parameters())
    optimizer.step()
    assert not torch.equal(layer.weight, before)


class Spoilt(Callback):
    """Gives every training batch a clip that is not a number."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        batch.clips[0, 0].fill_(torch.nan)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_with_its_keyframes_or_is_skipped_and_counted(pipeline, tmp_path):
    spoilt = [*pipeline.overrides, "fbo=none", f"+callbacks.spoil._target_={__name__}.Spoilt"]
    spoilt += [
        "trainer.max_epochs=1",
        "trainer.limit_train_batches=3",
        "trainer.limit_val_batches=0",
        "data.batch_size=2",
    ]
    stopped = run("train", *spoilt, "hydra.run.dir=stop", folder=tmp_path)
    assert stopped.status == 1
    assert "lfb-train: the loss of step 0 is not finite, from keyframes mini-train-" in stopped.stderr
    assert "task.on_nan=skip" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    skipping = [*spoilt, "task.on_nan=skip", "hydra.run.dir=skip"]
    skipped = run("train", *skipping, folder=tmp_path)
    assert skipped.status == 0, skipped.stderr
    assert json.loads((tmp_path / "skip" / "metrics.json").read_text())["skipped_steps"] == 3
    checkpoint = torch.load(tmp_path / "skip" / "checkpoints" / "last.ckpt", weights_only=True)
    for name, value in checkpoint["state_dict"].items():
        assert torch.isfinite(value).all(), f"{name}: batch norms must forget the batch too"
    resumed = run("train", *skipping, "trainer.max_epochs=2", "ckpt_path=last", folder=tmp_path)
    assert resumed.status == 0, resumed.stderr
    assert json.loads((tmp_path / "skip" / "metrics.json").read_text())["skipped_steps"] == 6


@pytest.mark.parametrize("on_nan", ["stop", "skip"])
def test_nothing_is_saved_or_evaluated_between_a_spoilt_batch_and_its_step(on_nan):
    task = DetectionTask(
        detector=tiny(),
        loss=MultiLabelLoss(),
        optimization=Optimization(optimizer=torch.optim.SGD, lr=0.1, base_batch_size=2),
        evaluator=lambda threshold: SegmentAccuracy(segment_ids=["a"], heads={"verb": 6}, labels=None),
        batch_size=2,
        num_training_batches=lambda: 2,
        config_text="",
        on_nan=on_nan,
    )
    task.trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, accumulate_grad_batches=2)
    labels = torch.zeros(3, 6)
    labels[:, 1] = 1
    for second, clips in ((902, CLIPS), (903, CLIPS * torch.nan)):
        before = {name: value.clone() for name, value in task.state_dict().items()}
        keyframes = [Keyframe("v", second), Keyframe("w", second)]
        boxes, scores = torch.zeros(3, 4).double(), torch.zeros(3).double()
        task.training_step(ClipBatch(keyframes, clips, ROIS, boxes, scores, labels), 0).backward()
        task.on_after_backward()
        if second == 902:
            task.on_save_checkpoint({})
    for hook in (lambda: task.on_save_checkpoint({}), task.on_validation_epoch_start):
        if on_nan == "stop":  # what batch norms hold now is no number
            with pytest.raises(InputError, match=r"loss of step 0 is not finite, from keyframes v,0903; w,0903; lower"):
                hook()
        else:
            hook()
            assert all(torch.equal(value, before[name]) for name, value in task.state_dict().items())
