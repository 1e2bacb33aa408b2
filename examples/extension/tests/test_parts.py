"""The parts alone, against values worked out by hand."""

import csv

import numpy as np
import pytest
import torch
from lfb_extension import generate
from lfb_extension.accuracy import Accuracy
from lfb_extension.backbone import FrameCNN
from lfb_extension.events import EventDataset
from lfb_extension.fbo import GatedMean
from lfb_extension.loss import SmoothedLoss

from lfb_lightning.datasets import ActionDataset, ActionSplit
from lfb_lightning.errors import InputError
from lfb_lightning.metrics.evaluator import Evaluator
from lfb_lightning.models import FBO, Backbone, Loss
from lfb_lightning.structures import BankWindow, Detections, Item, Keyframe


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("events")
    generate.main(made)
    return made


@pytest.fixture
def dataset(folder):
    return EventDataset(
        video_dir=str(folder / "videos"),
        annotations=str(folder / "{split}.csv"),
        class_names=["red", "green", "blue"],
        ticks_per_second="25/2",
    )


def test_parts_keep_their_protocols(dataset):
    assert isinstance(FrameCNN(), Backbone)
    assert isinstance(GatedMean(channels=4), FBO)
    assert isinstance(SmoothedLoss(), Loss)
    assert isinstance(dataset, ActionDataset)
    assert isinstance(dataset.split("val"), ActionSplit)
    assert isinstance(dataset.split("val").evaluator(action_threshold=None), Evaluator)


def test_the_map_is_as_wide_and_coarse_as_the_backbone_says():
    backbone = FrameCNN(channels=6)
    assert backbone(torch.zeros(2, 3, 4, 64, 40)).shape == (2, 6, 4, 64 // backbone.stride, 40 // backbone.stride)


def test_the_fbo_averages_filled_slots_and_an_empty_window_is_zero():
    fbo = GatedMean(channels=2)
    torch.nn.init.zeros_(fbo.gate.weight)
    torch.nn.init.zeros_(fbo.gate.bias)  # every gate half open
    features = torch.tensor([[[2.0, 4.0], [4.0, 0.0], [0.0, 0.0]], [[0.0, 0.0]] * 3])
    window = BankWindow(features, torch.tensor([[True, True, False], [False] * 3]))
    found = fbo(torch.ones(3, 2), window, torch.tensor([1, 0, 0]))
    assert found.tolist() == [[0.0, 0.0], [1.5, 1.0], [1.5, 1.0]]


def test_the_loss_is_a_sum_that_needs_no_region():
    total, count = SmoothedLoss(smoothing=0.0).sum(torch.zeros(2, 4), torch.eye(4)[:2])
    assert (float(total), float(count)) == (pytest.approx(2 * np.log(4)), 2.0)
    logits = torch.zeros(0, 4, requires_grad=True)
    total, count = SmoothedLoss().sum(logits, torch.zeros(0, 4))
    total.backward()
    assert (total.item(), count.item(), logits.grad.shape) == (0.0, 0.0, (0, 4))


def test_ticks_are_frames(dataset, folder):
    with (folder / "val.csv").open(newline="") as file:
        row = list(csv.DictReader(file))[1]
    split = dataset.split("val")
    assert split.events[1].begin == round(float(row["begin"]) * 12.5)
    items = [item for item in split.evaluation_items() if item.number == 1]
    assert len(items) == 2
    assert all(split.events[1].begin < item.keyframe.timestamp < split.events[1].end for item in items)
    assert split.bank_keyframes("proposals")[:2] == [Keyframe("val-0", 0), Keyframe("val-0", 10)]
    assert len(split.bank_keyframes("proposals")) == 2 * 10


def test_training_draws_a_moment_of_the_event(dataset):
    split = dataset.split("train")
    event = split.events[2]
    drawn = [split.training_regions(Item(2, Keyframe("", 0)), torch.Generator().manual_seed(n)) for n in range(50)]
    ticks = {regions.keyframe.timestamp for regions in drawn}
    assert len(ticks) > 3
    assert ticks <= set(range(event.begin, event.end))
    assert drawn[0].labels.tolist() == [[place == event.action for place in range(3)]]


def test_wrong_rows_are_named(dataset, folder):
    for row, message in (("v,0,1,pink", "unknown class"), ("v,2,1,red", "no length"), ("v,x,1,red", "begin is 'x'")):
        (folder / "wrong.csv").write_text(f"video_id,begin,end,class\n{row}\n")
        with pytest.raises(InputError, match=message):
            dataset.split("wrong")
    with pytest.raises(InputError, match="split none: there is no"):
        dataset.split("none")


def test_accuracy_averages_views_and_counts_items(tmp_path):
    evaluator = Accuracy([1, 0, 1], columns=2)
    scores = torch.tensor([[0.9, 0.1], [0.0, 1.0], [0.2, 0.8]])  # item 0: 0.45 and 0.55 on average; item 1 is wrong
    keyframes = [Keyframe("a", 1), Keyframe("a", 2), Keyframe("b", 1)]
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]] * 3, dtype=torch.float64)
    evaluator.update(Detections(keyframes, torch.arange(3), boxes, scores, (0, 0, 1)))
    assert evaluator.compute() == {"accuracy": 0.5}
    assert evaluator.summary() == {"accuracy": 0.5, "items": 2}
    (path,) = evaluator.write(tmp_path)
    assert [row.split(",")[0] for row in path.read_text().split()] == ["0", "1"]
