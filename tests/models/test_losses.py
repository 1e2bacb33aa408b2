"""The losses equal mmaction2's recorded values and gradients, to 1e-6."""

import json

import pytest
import torch
import torch.nn.functional as F

from lfb_lightning.models import MultiLabelLoss, SingleLabelLoss
from tests.models import golden


def cases():
    recorded = json.loads((golden.GOLDEN / "loss_assign_golden.json").read_text())["cases"]
    # Where no row is labeled mmaction2's loss is NaN: see test_no_labeled_person_is_zero_and_finite.
    return [(name, case) for name, case in recorded.items() if not name.startswith("no labelled row")]


@pytest.mark.parametrize(("name", "expected"), cases(), ids=[name for name, _ in cases()])
def test_loss_equals_mmaction2s(name, expected):
    arguments = dict(part.split("=") for part in name.split(","))
    options = {"background": arguments.get("background_class", "True") == "True"}
    options |= {"focal_alpha": float(arguments.get("alpha", 1)), "focal_gamma": float(arguments.get("gamma", 0))}
    recorded = golden.load("loss_golden")
    logits = recorded["cls_score"].clone().requires_grad_()
    cls = MultiLabelLoss if arguments["multilabel"] == "True" else SingleLabelLoss
    loss = cls(**options)(logits, recorded["labels"].float())
    assert loss.item() == pytest.approx(expected["loss_action_cls"], rel=1e-6, abs=1e-6)
    if f"grad|{name}" in recorded:
        loss.backward()
        torch.testing.assert_close(logits.grad, recorded[f"grad|{name}"], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("cls", [MultiLabelLoss, SingleLabelLoss])
@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_no_labeled_person_is_zero_and_finite(cls, gamma):
    logits = torch.randn(3, 5, requires_grad=True)
    loss = cls(focal_gamma=gamma)(logits, torch.zeros(3, 5))
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(logits.grad, torch.zeros(3, 5))


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_gradients_of_certain_persons_are_finite(gamma):
    logits = torch.tensor([[0.0, 40.0, -40.0]], requires_grad=True)
    MultiLabelLoss(focal_gamma=gamma)(logits, torch.tensor([[0.0, 1.0, 0.0]])).backward()
    assert torch.isfinite(logits.grad).all()


def test_sums_over_batches_make_the_mean_over_all_of_them():
    torch.manual_seed(0)
    logits, labels = torch.randn(6, 5), (torch.rand(6, 5) < 0.3).float()
    labels[:, 0] = 0
    parts = [MultiLabelLoss().sum(logits[part], labels[part]) for part in (slice(0, 1), slice(1, 6))]
    total, count = (sum(column) for column in zip(*parts, strict=True))
    assert (total / count).item() == pytest.approx(MultiLabelLoss()(logits, labels).item())


@pytest.mark.parametrize("weight", [1.0, 3.5])
def test_pos_weight_is_torchs_own(weight):
    torch.manual_seed(0)
    logits, labels = torch.randn(4, 5), (torch.rand(4, 5) < 0.5).float()
    labels[:, 1] = 1
    expected = F.binary_cross_entropy_with_logits(logits[:, 1:], labels[:, 1:], pos_weight=torch.tensor(weight))
    assert MultiLabelLoss(pos_weight=weight)(logits, labels).item() == pytest.approx(expected.item())
