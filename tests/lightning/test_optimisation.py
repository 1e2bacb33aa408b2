"""Learning rates of the peers' schedules, from tables worked out by hand."""

import pytest
import torch

from lfb_lightning.errors import InputError
from lfb_lightning.lightning import Optimisation


def optimisation(**options):
    defaults = {"optimizer": torch.optim.SGD, "lr": 0.2, "base_batch_size": 128}
    return Optimisation(**{**defaults, **options})


def test_linear_warm_up_per_step_then_steps():
    # mmengine: LinearLR(start_factor=0.1, end=5 epochs, per iteration), MultiStepLR([10, 15]); 4 iterations an epoch.
    schedule = optimisation()
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
    schedule = optimisation(warmup_by="epoch")
    for epoch, factor in enumerate([0.1, 0.325, 0.55, 0.775, 1.0, 1.0]):
        for step in (7 * epoch, 7 * epoch + 6):
            assert schedule.factor(step, 7) == pytest.approx(factor, rel=1e-12)


def test_scheduler_gives_the_factors():
    parameter = torch.nn.Parameter(torch.zeros(1))
    made = optimisation().build([parameter], global_batch_size=64, steps_per_epoch=3)
    optimizer, scheduler = made["optimizer"], made["lr_scheduler"]["scheduler"]
    rates = []
    for _ in range(60):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates == pytest.approx([0.1 * optimisation().factor(step, 3) for step in range(60)])


def test_linear_scaling_and_its_switch():
    assert optimisation().scaled_lr(32) == pytest.approx(0.05)
    assert optimisation(auto_scale_lr=False).scaled_lr(32) == 0.2
    assert "0.05 = 0.2 x 32 / 128" in optimisation().describe(32)


def test_unknown_warm_up_is_refused():
    with pytest.raises(InputError, match="step or epoch"):
        optimisation(warmup_by="minute")


@pytest.mark.parametrize(("key", "value"), [("lr", -1.0), ("base_batch_size", 0)])
def test_impossible_rates_are_named(key, value):
    with pytest.raises(InputError, match=f"optim.{key} is {value!r}"):
        optimisation(**{key: value})
