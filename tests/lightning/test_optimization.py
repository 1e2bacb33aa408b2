"""Learning rates of the reference implementations' schedules, from tables worked out by hand."""

import copy
import math
from functools import partial

import pandas as pd
import pytest
import torch
from omegaconf import OmegaConf
from torch import nn
from torch.optim.lr_scheduler import ConstantLR, CosineAnnealingLR, MultiStepLR

from lfb_lightning.errors import InputError
from lfb_lightning.lightning import Optimization, TorchSchedule, parameter_groups
from lfb_lightning.models import FBONone, GlobalMean, ResNet3d, assemble_detector


def optimization(**options):
    defaults = {"optimizer": torch.optim.SGD, "lr": 0.2, "base_batch_size": 128}
    return Optimization(**{**defaults, **options})


def rates_of(made, *, steps_per_epoch, steps, epochs=20, module=None, resumed_at=None):
    """The rates of every group at every step; `resumed_at` goes on from a saved state in new objects."""

    def build():
        built = made.build(
            module or nn.Linear(1, 1, bias=False), global_batch_size=64, steps_per_epoch=steps_per_epoch, epochs=epochs
        )
        return built["optimizer"], built["lr_scheduler"]["scheduler"]

    optimizer, scheduler = build()
    rates = []
    for step in range(steps):
        if step == resumed_at:
            saved = copy.deepcopy((optimizer.state_dict(), scheduler.state_dict()))
            optimizer, scheduler = build()
            optimizer.load_state_dict(saved[0])
            scheduler.load_state_dict(saved[1])
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    return [row[0] for row in rates] if module is None else rates


def test_linear_warm_up_per_step_then_steps():
    # mmengine: LinearLR(start_factor=0.1, end=5 epochs, per iteration), MultiStepLR([10, 15]); 4 iterations an epoch.
    schedule = optimization()
    table = {
        0: 0.1,
        1: 0.1 + 0.9 / 19,
        10: 0.1 + 0.9 * 10 / 19,
        19: 1.0,
        20: 1.0,
        39: 1.0,
        40: 0.1,
        59: 0.1,
        60: 0.01,
        79: 0.01,
    }
    for step, factor in table.items():
        assert schedule.factor(step, 4) == pytest.approx(factor, rel=1e-12), step


def test_linear_warm_up_per_epoch():
    # The LFB configurations do not convert the warm-up to iterations: five epochs at constant rates.
    schedule = optimization(warmup_by="epoch")
    for epoch, factor in enumerate([0.1, 0.325, 0.55, 0.775, 1.0, 1.0]):
        for step in (7 * epoch, 7 * epoch + 6):
            assert schedule.factor(step, 7) == pytest.approx(factor, rel=1e-12)


def test_scheduler_gives_the_factors():
    factors = [optimization().factor(step, 3) for step in range(60)]
    assert rates_of(optimization(), steps_per_epoch=3, steps=60) == pytest.approx([0.1 * factor for factor in factors])


def test_linear_scaling_and_its_switch():
    assert optimization().scaled_lr(32) == pytest.approx(0.05)
    assert optimization(auto_scale_lr=False).scaled_lr(32) == 0.2
    assert "0.05 = 0.2 x 32 / 128" in optimization().describe(32)


def test_unknown_warm_up_is_refused():
    with pytest.raises(InputError, match="step or epoch"):
        optimization(warmup_by="minute")


@pytest.mark.parametrize(("key", "value"), [("lr", -1.0), ("base_batch_size", 0), ("warmup_epochs", -1.0)])
def test_impossible_rates_are_named(key, value):
    with pytest.raises(InputError, match=f"optim.{key} is {value!r}"):
        optimization(**{key: value})


COSINE = TorchSchedule(scheduler=partial(CosineAnnealingLR, eta_min=0.0), epochs={"T_max": None})


def test_cosine_after_the_warm_up_ends_with_the_training():
    # 2 epochs of warm-up by step (4 steps: 0.1, 0.4, 0.7, 1), then half a cosine over the 4 steps that are left of 4 epochs.
    rates = rates_of(optimization(warmup_epochs=2.0, schedule=COSINE), steps_per_epoch=2, steps=8, epochs=4)
    half = [(1 + math.cos(math.pi * step / 4)) / 2 for step in range(4)]
    assert rates == pytest.approx([0.1 * factor for factor in [0.1, 0.4, 0.7, 1.0, *half]], rel=1e-9)


def test_times_are_epochs_behind_the_warm_up():
    steps = TorchSchedule(scheduler=partial(MultiStepLR, gamma=0.5), epochs={"milestones": [1.0, 2.5]})
    made = optimization(warmup_epochs=1.0, warmup_by="epoch", schedule=steps)
    rates = rates_of(made, steps_per_epoch=2, steps=10)  # one epoch at 0.1 of the peak; halved at steps 2 + 2 and 2 + 5
    assert rates == pytest.approx([0.01] * 2 + [0.1] * 2 + [0.05] * 3 + [0.025] * 3)


def test_constant_without_a_warm_up():
    made = optimization(warmup_epochs=0.0, schedule=TorchSchedule(scheduler=partial(ConstantLR, factor=1.0)))
    assert rates_of(made, steps_per_epoch=2, steps=6) == [0.1] * 6


@pytest.mark.parametrize("resumed_at", [1, 4, 5, 9])
@pytest.mark.parametrize("schedule", [None, COSINE])
def test_resumed_rates_are_the_same_bits(schedule, resumed_at):
    made = optimization(warmup_epochs=2.0, milestones=[3.0, 4.0], schedule=schedule)
    whole = rates_of(made, steps_per_epoch=2, steps=12, epochs=6)
    assert rates_of(made, steps_per_epoch=2, steps=12, epochs=6, resumed_at=resumed_at) == whole


def test_wrong_schedules_are_one_line():
    wrong = TorchSchedule(scheduler=partial(CosineAnnealingLR, eta=1), epochs={"T_max": 1.0})
    with pytest.raises(InputError, match=r"^optim\.schedule: .*'eta'"):
        rates_of(optimization(schedule=wrong), steps_per_epoch=1, steps=1)
    with pytest.raises(InputError, match=r"trainer\.max_epochs does not end it"):
        rates_of(optimization(schedule=COSINE), steps_per_epoch=1, steps=1, epochs=math.inf)
    assert "then CosineAnnealingLR over {'T_max': None} epochs" in optimization(schedule=COSINE).describe(64)


def detector(backbone=None):
    backbone = backbone or ResNet3d(
        stage_blocks=(1, 1), base_channels=1, spatial_strides=(1, 1), temporal_kernels=(1, 1), nonlocal_after=((), (0,))
    )
    return assemble_detector(backbone=backbone, roi_features=GlobalMean(), fbo=FBONone, num_classes=2)


def test_layer_decay_by_hand():
    # Stem, two stages, and the head above them: the peak of 0.1 times 1/8, 1/4, 1/2, 1.
    model = detector()
    made = optimization(warmup_epochs=0.0, milestones=[], parameter_groups=partial(parameter_groups, layer_decay=0.5))
    assert rates_of(made, steps_per_epoch=1, steps=2, module=model) == [[0.0125, 0.025, 0.05, 0.1]] * 2
    groups = made.build(model, global_batch_size=64, steps_per_epoch=1, epochs=1)["optimizer"].param_groups
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = [{names[id(parameter)] for parameter in group["params"]} for group in groups]
    top = ("backbone.stages.1.", "backbone.nonlocals.1_0.")
    assert found[0] == {name for name in names.values() if name.startswith("backbone.stem.")}
    assert found[2] == {name for name in names.values() if name.startswith(top)}
    assert found[3] == {"head.weight", "head.bias"}
    assert set().union(*found) == set(names.values())
    assert sum(map(len, found)) == len(names)


def test_biases_and_norms_do_not_decay():
    model, loss = nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3)), nn.Linear(2, 2)
    made = optimization(
        optimizer=partial(torch.optim.SGD, weight_decay=0.1),
        parameter_groups=partial(parameter_groups, decays_biases_and_norms=False),
    )
    built = made.build(model, global_batch_size=64, steps_per_epoch=1, epochs=1, more_parameters=loss.parameters())[
        "optimizer"
    ].param_groups
    decays = {id(parameter): group["weight_decay"] for group in built for parameter in group["params"]}
    expected = {model[0].weight: 0.1, model[0].bias: 0.0, model[1].weight: 0.0, model[1].bias: 0.0}
    expected |= dict.fromkeys(loss.parameters(), 0.1)
    assert decays == {id(parameter): decay for parameter, decay in expected.items()}


def test_one_group_without_parameter_groups_and_frozen_ones_left_out():
    model, loss = nn.Linear(2, 2), nn.Linear(1, 1)
    model.bias.requires_grad_(False)
    built = (
        optimization()
        .build(model, global_batch_size=64, steps_per_epoch=1, epochs=1, more_parameters=loss.parameters())["optimizer"]
        .param_groups
    )
    assert [list(map(id, group["params"])) for group in built] == [[id(model.weight), id(loss.weight), id(loss.bias)]]


class Flat(nn.Module):
    out_channels = 1
    stride = 1


@pytest.mark.parametrize(
    ("options", "message"), [({"layer_decay": 0.0}, "layer_decay is 0"), ({"layer_decay": 0.5}, "layer_of, which Flat")]
)
def test_impossible_layer_decay_is_one_line(options, message):
    with pytest.raises(InputError, match=message):
        parameter_groups(detector(Flat()), **options)


@pytest.mark.slow
def test_a_recipe_of_the_command_line(pipeline, console, tmp_path):
    options = ["schedule=cosine", "parameter_groups=layer_decay", "optim.warmup_epochs=0", "optim.lr=0.01"]
    options += ["trainer.max_epochs=2", "trainer.limit_train_batches=2", "trainer.log_every_n_steps=1"]
    options += ["backbone.gradient_checkpointing=true", f"backbone.weights={pipeline.checkpoint}"]
    done = console("train", *pipeline.overrides, "fbo=none", *options, f"hydra.run.dir={tmp_path}")
    assert f"backbone from {pipeline.checkpoint}" in done.stdout + done.stderr
    logged = pd.read_csv(tmp_path / "logs" / "metrics.csv").filter(like="lr-").dropna()
    peak = 0.01 * 16 / OmegaConf.load(tmp_path / "config.yaml").optim.base_batch_size  # 16 clips a step
    cosine = [(1 + math.cos(math.pi * step / 4)) / 2 for step in range(4)]
    rates = sorted({tuple(column) for column in logged.to_numpy().T.round(9)}, key=lambda column: column[0])
    expected = [[peak * 0.75**below * factor for factor in cosine] for below in (3, 2, 1, 0)]
    assert rates == [pytest.approx(row, abs=1e-8) for row in expected]
