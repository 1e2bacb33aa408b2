"""The host waits for the device at most once per training step, per batch of an evaluation and of an extraction.

On a simulated device (`tests/simulated_device.py`), so that no new wait can creep in. The numbers before, found so: 24 per
training step (two of them averaged weights), 16 per validation batch, 18 per test batch of two views, 10 per extracted batch.
"""

from functools import partial
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.accelerators import CPUAccelerator
from pytorch_lightning.strategies import SingleDeviceStrategy

from lfb_lightning import movable
from lfb_lightning.bank.precision import encode
from lfb_lightning.bank_window import BankWindow, BankWindows, Packing
from lfb_lightning.clips.normalize import _constant, normalize
from lfb_lightning.lightning.callbacks.averaged_weights import EMAWeightAveraging
from lfb_lightning.lightning.modules.step_gradients import StepGradients
from lfb_lightning.models import FBOAvg, FBOMax, FBONone, FBONonLocal, MultiLabelLoss, RoIFeatures, assemble_detector
from lfb_lightning.models.backbones import VJEPA2, MViT, SlowFast, Swin3d, VisionTransformer
from lfb_lightning.models.block_loss import Block, BlockLoss
from lfb_lightning.models.fbo.cross_attention import FBOCrossAttention
from lfb_lightning.models.losses import SingleLabelLoss
from lfb_lightning.structures import ClipBatch
from tests.models.test_detector import CLIPS, ROIS, tiny
from tests.simulated_device import DEVICE, SimulatedDevice

WAIT = "for a copy to the host"
COUNTED = f"+callbacks.periods._target_={__name__}.Periods"
SLOWFAST = partial(SlowFast, stage_blocks=(1, 1, 1, 1), base_channels=8, fast_base_channels=2, alpha=4)
BACKBONES = {
    "slowfast": SLOWFAST,
    "slowfast by linspace": partial(SLOWFAST, slow_frames="linspace"),
    "vit": partial(VisionTransformer, embed_dims=24, depth=1, num_heads=2, num_frames=8, image_size=32),
    "mvit": partial(MViT, embed_dims=8, stage_blocks=(1, 2, 1), image_size=32, num_frames=8),
    "swin": partial(Swin3d, embed_dims=8, depths=(1, 1), num_heads=(1, 2), window_size=(2, 3, 3)),
    "vjepa2": partial(VJEPA2, embed_dims=24, depth=1, num_heads=2),
}
FBOS = {
    "none": FBONone,
    "avg": FBOAvg,
    "max": partial(FBOMax, mask_padding=True),
    "nl": partial(FBONonLocal, latent_channels=8, norm_inputs=True),
    "xattn": partial(FBOCrossAttention, latent_channels=8, num_heads=2, cells=3, slots_per_cell=2, identity=True),
}
LOSSES = {
    "scattered columns": partial(MultiLabelLoss, action_ids=[1, 3, 4], focal_gamma=2.0),
    "single": SingleLabelLoss,
    "single of scattered columns": partial(SingleLabelLoss, action_ids=[1, 3, 4]),
    "blocks": lambda: BlockLoss(blocks={"verb": Block(columns=[0, 2], loss=SingleLabelLoss())}),
}


@pytest.fixture
def device(monkeypatch):
    """The simulated device."""
    simulated = SimulatedDevice()
    _constant.cache_clear()  # of another test's device
    monkeypatch.setattr(movable, "queue_end", lambda where: lambda: simulated.waited(WAIT))
    with simulated:
        yield simulated
    _constant.cache_clear()


def window_of(precision):
    """A window of each of two clips, as the bank's reader gives it."""
    mask = torch.rand(2, 6, generator=torch.Generator().manual_seed(2)) < 0.6
    rows, scales = encode(torch.randn(12, 32), precision)
    rows = rows.view(2, 6, 32) * mask[:, :, None]
    scales = None if scales is None else scales.view(2, 6) * mask
    same = torch.zeros(3, 6, dtype=torch.bool)
    return BankWindow(rows, mask, scales, same, packing=Packing.of(mask, ROIS[:, 0].long()))


def waits_of_steps(device, detector, loss, *, clips=CLIPS, window=None):
    """Take two training steps and an evaluation of a batch; what the second step waited for, and the evaluation."""
    detector.to(DEVICE)
    optimizer = torch.optim.AdamW(detector.parameters(), lr=1e-3)
    gradients = StepGradients()
    clips, rois = (one.to(DEVICE, non_blocking=True) for one in (clips, ROIS))
    window = None if window is None else window.to(DEVICE)
    labels = (torch.arange(18).view(3, 6) % 4 == 1).float().to(DEVICE, non_blocking=True)
    for _ in range(2):
        device.waits.clear()
        total, count = loss.sum(detector(clips, rois, window), labels)
        gradients.add(total, count)
        total.backward()
        assert gradients.finish(detector.parameters())
        torch.nn.utils.clip_grad_norm_(detector.parameters(), 1.0)
        optimizer.step()
    waits = [*device.waits]
    device.waits.clear()
    with torch.inference_mode():
        assert device.has(loss.scores(detector.eval()(clips, rois, window)))
    return waits, device.waits


def test_what_waits_for_a_gpu_is_seen(device):
    numbers = torch.arange(6.0).to(DEVICE, non_blocking=True)
    assert device.waits == []
    positions = torch.tensor([1, 2])
    for waiting in (
        lambda: numbers.sum().item(),
        lambda: bool(numbers[0] > 1),
        lambda: numbers[numbers > 2],
        lambda: numbers[[1, 2]],
        lambda: numbers[positions],
        lambda: numbers.nonzero(),
        lambda: numbers.unique(),
        lambda: numbers.repeat_interleave(torch.ones(6, dtype=torch.long).to(DEVICE, non_blocking=True)),
        lambda: numbers.tolist(),
        lambda: numbers.cpu(),
        lambda: numbers.to("cpu"),
        lambda: positions.to(DEVICE),
        lambda: torch.tensor([1.0], device=numbers.device),
        lambda: numbers.new_tensor([1.0]),
    ):
        device.waits.clear()
        waiting()
        assert len(device.waits) == 1, device.waits
    device.waits.clear()
    for going_on in (
        lambda: numbers[1:3] * 2 + torch.zeros(2, device=numbers.device),
        lambda: torch.where(numbers > 2, numbers, 0.0).to(torch.float64),
        lambda: numbers.to("cpu", non_blocking=True),
        lambda: positions.to(DEVICE, non_blocking=True),
        lambda: numbers[positions.to(DEVICE, non_blocking=True)],
    ):
        going_on()
    assert device.waits == []
    with pytest.raises(AssertionError, match="of the host and of the device"):
        numbers + torch.zeros(6)


@pytest.mark.parametrize("precision", ["fp16", pytest.param("int8", marks=pytest.mark.thorough)])
@pytest.mark.parametrize("fbo", FBOS)
def test_a_step_with_any_fbo_waits_once_and_an_evaluation_never(fbo, precision, device):
    steps, evaluation = waits_of_steps(device, tiny(FBOS[fbo]), MultiLabelLoss(), window=window_of(precision))
    assert [wait.partition(" at ")[0] for wait in steps] == [WAIT]
    assert evaluation == []


def test_a_step_with_several_banks_waits_once(device):
    banks = {"main": 32, "other": 32}
    windows = BankWindows.of({name: window_of("fp16") for name in banks})
    detector = tiny(partial(FBOS["nl"], banks=banks))
    steps, evaluation = waits_of_steps(device, detector, MultiLabelLoss(), window=windows)
    assert (len(steps), evaluation) == (1, [])


@pytest.mark.parametrize("loss", LOSSES)
def test_a_step_with_any_loss_waits_once(loss, device):
    steps, evaluation = waits_of_steps(device, tiny(), LOSSES[loss]())
    assert (len(steps), evaluation) == (1, []), (steps, evaluation)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_step_with_any_backbone_and_its_regions_waits_once(backbone, device):
    torch.manual_seed(0)
    regions = RoIFeatures(output_size=3, enlarge=[0.1, 0.05], context=True)
    detector = assemble_detector(
        backbone=BACKBONES[backbone](), roi_features=regions, fbo=partial(FBONone), num_classes=6
    )
    steps, evaluation = waits_of_steps(device, detector, MultiLabelLoss(), clips=torch.randn(2, 3, 8, 32, 48))
    assert (len(steps), evaluation) == (1, []), (steps, evaluation)


class Periods(pl.Callback):
    """Keeps what waited from the end of one batch to the end of the next: its transfer, its step, what is logged of it."""

    def __init__(self):
        self._from = 0

    def on_train_epoch_start(self, trainer, pl_module):
        self._from = len(Periods.device.waits)

    def on_validation_start(self, trainer, pl_module):
        self._from = len(Periods.device.waits)

    on_test_start = on_predict_start = on_validation_start

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0):
        waits = Periods.device.waits
        Periods.found.setdefault(trainer.state.stage.value, []).append(waits[self._from :])
        self._from = len(waits)

    on_validation_batch_end = on_test_batch_end = on_predict_batch_end = on_train_batch_end


@pytest.fixture
def periods(device, monkeypatch):
    """Commands run on the simulated device; what waited in each batch, by the trainer's stage."""
    monkeypatch.setattr(SingleDeviceStrategy, "root_device", property(lambda self: DEVICE))
    monkeypatch.setattr(CPUAccelerator, "setup_device", lambda self, device: None)
    monkeypatch.setattr(Periods, "device", device, raising=False)
    monkeypatch.setattr(Periods, "found", {}, raising=False)
    return Periods.found


@pytest.mark.slow
def test_training_and_validation_with_everything_switched_on(periods, pipeline, here, tmp_path):
    switches = ["callbacks=ema", "task.on_nan=skip", "trainer.log_every_n_steps=1"]
    switches += ["+callbacks.shown._target_=lfb_lightning.lightning.callbacks.logged_pictures.LoggedPictures"]
    switches += ["+callbacks.shown.overlays=2", "+callbacks.shown.clips=0", "+callbacks.shown.curves=false"]
    limits = ["trainer.max_epochs=1", "trainer.limit_train_batches=4", "data.batch_size=4"]
    model = ["fbo=nl", "fbo.latent_channels=16", "loss.focal_gamma=1.0"]
    here("train", *pipeline.overrides, *model, *switches, *limits, COUNTED, f"hydra.run.dir={tmp_path}")
    first, *steps = periods["train"]
    assert len(first) <= 4, "averaged weights ask once whether they have begun"
    assert [len(waits) for waits in steps] == [1, 1, 1], steps
    assert len(periods["validate"]) > 4
    assert all(len(waits) <= 1 for waits in periods["validate"]), periods["validate"]


@pytest.mark.slow
@pytest.mark.thorough
def test_accumulated_batches_wait_at_the_step_and_not_before(periods, pipeline, here, tmp_path):
    options = ["fbo=avg", "trainer.max_epochs=1", "trainer.limit_train_batches=4", "trainer.limit_val_batches=0"]
    options += ["trainer.accumulate_grad_batches=2", "data.batch_size=2"]
    here("train", *pipeline.overrides, *options, COUNTED, f"hydra.run.dir={tmp_path}")
    assert [bool(waits) for waits in periods["train"]] == [False, True, False, True]


@pytest.mark.slow
def test_tested_views(periods, pipeline, here, tmp_path):
    options = ["data.test_flip=true", "+trainer.limit_test_batches=3", "data.batch_size=4", f"hydra.run.dir={tmp_path}"]
    here("test", *pipeline.overrides, f"ckpt_path={pipeline.checkpoint}", *options, COUNTED)
    assert [len(waits) for waits in periods["test"]] == [0, 0, 0], periods["test"]


@pytest.mark.slow
def test_extraction_waits_for_the_batch_before(periods, pipeline, here, tmp_path):
    options = [f"bank.dir={tmp_path / 'bank'}", "split=val", f"hydra.run.dir={tmp_path}", "data.batch_size=8"]
    here("extract", *pipeline.overrides, f"ckpt_path={pipeline.checkpoint}", *options, COUNTED)
    assert len(periods["predict"]) > 4
    assert all(len(waits) <= 1 for waits in periods["predict"]), periods["predict"]
    assert sum(map(len, periods["predict"])) > 0


def test_averaged_weights_are_lightnings_bit_by_bit():
    averages = []
    quiet = {
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    trainer = pl.Trainer(accelerator="cpu", **quiet)
    for kind in (pl.callbacks.EMAWeightAveraging, EMAWeightAveraging):
        torch.manual_seed(0)
        task = pl.LightningModule()
        task.layers = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
        callback = kind(decay=0.9)
        callback.setup(trainer, task, "fit")
        for step in range(4):
            task.layers(torch.randn(5, 3)).sum().backward()
            with torch.no_grad():
                for parameter in task.parameters():
                    parameter += 0.1
            callback.on_train_batch_end(SimpleNamespace(global_step=step + 1), task, None, None, step)
        averages.append({**callback._average_model.state_dict(), "key": callback.state_key})
    assert averages[0].pop("key") == averages[1].pop("key")
    assert averages[0].keys() == averages[1].keys()
    for name, value in averages[0].items():
        assert torch.equal(averages[1][name], value), name


def test_normalization_equals_its_formula_bit_by_bit():
    clips = torch.randint(0, 256, (2, 3, 4, 9, 7), dtype=torch.uint8)
    batch = ClipBatch([], clips, torch.zeros(0, 5), torch.zeros(0, 4).double(), torch.zeros(0).double())
    mean, std = [0.45, 0.4, 0.3], [0.2, 0.225, 0.25]
    expected = (clips.float() / 255 - torch.tensor(mean).view(3, 1, 1, 1)) / torch.tensor(std).view(3, 1, 1, 1)
    assert torch.equal(normalize(batch, mean=mean, std=std).clips, expected)
    assert clips.dtype == batch.clips.dtype == torch.uint8
