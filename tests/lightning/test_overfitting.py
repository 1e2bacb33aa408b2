"""Learning one batch by heart: what is measured is right, and the verdict tells right data from wrong."""

import math
from dataclasses import replace
from itertools import product

import pytest
import torch

from lfb_lightning.boxes import rois_from_boxes
from lfb_lightning.errors import InputError
from lfb_lightning.lightning.overfitting import ClassFit, Fit, Overfitting, _pairs, _without_looking
from lfb_lightning.models import losses
from lfb_lightning.structures import ClipBatch, Keyframe
from tests.cli.test_config import compose

COLORS = torch.tensor([[0.9, 0.1, 0.1], [0.1, 0.9, 0.1], [0.1, 0.1, 0.9]])


def colored(seed, *, blank=False):
    """Eight clips of two regions, each of one of three colors; its label is its color, and sometimes a second one."""
    generator = torch.Generator().manual_seed(seed)
    colors = torch.randint(0, 3, (8, 2), generator=generator)
    clips = 0.05 * torch.randn(8, 3, 4, 32, 64, generator=generator)
    for clip, side in product(range(8), range(2)):
        clips[clip, :, :, :, 32 * side : 32 * side + 32] += COLORS[colors[clip, side]][:, None, None, None]
    labels = torch.zeros(16, 5)
    shown = colors.flatten()
    labels[torch.arange(16), shown + 1] = 1
    labels[shown == 0, 4] = 1
    boxes = torch.tensor([[0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0]]).double()
    pixels = boxes.float() * torch.tensor([64.0, 32.0, 64.0, 32.0])
    return ClipBatch(
        keyframes=[Keyframe("v", second) for second in range(8)],
        clips=torch.zeros_like(clips) if blank else clips,
        rois=rois_from_boxes([pixels] * 8),
        boxes=boxes.repeat(8, 1),
        scores=torch.ones(16).double(),
        labels=labels,
    )


def fitted(batch, neighbors, **settings):
    from lfb_lightning.cli.building import build

    torch.manual_seed(0)
    cfg = compose("train", "experiment=mini_ava", "fbo=none", "backbone.base_channels=4", plain=False)
    cfg.model.num_classes = 5
    return Overfitting(**{"lr": 4e-3, **settings}).fit(build(cfg.model), losses.MultiLabelLoss(), batch, neighbors)


def test_right_data_is_learned_and_holds_beside():
    fit = fitted(colored(0), colored(1))
    assert fit.last < 0.1 * fit.blind < fit.blind < fit.first
    assert fit.steps < 300
    shown = colored(0).labels.sum(dim=0).int().tolist()
    assert fit.classes == {column: ClassFit(shown[column], 16, True) for column in (1, 2, 3, 4)}
    assert fit.pairs_right > 0.95
    assert fit.verdict == "right"


def test_blank_pixels_cannot_be_learned():
    fit = fitted(colored(0, blank=True), colored(1, blank=True), steps=30)
    assert fit.last > 0.9 * fit.blind
    assert not any(one.learned for one in fit.classes.values())
    assert abs(fit.pairs_right - 0.5) < 0.05  # left and right differ, by the padding
    assert fit.verdict == "not learned"


def test_labels_that_all_share_tell_nothing():
    batch = colored(0)
    same = replace(batch, labels=torch.tensor([0.0, 1, 0, 0, 0]).repeat(16, 1))
    fit = fitted(same, None, steps=1)
    assert fit.verdict == "nothing to learn"
    assert fit.classes == {1: ClassFit(16, 16, None)}
    assert (fit.neighbors, fit.pairs, fit.pairs_right) == (0, 0, None)


def test_the_loss_without_looking_is_the_entropy_of_the_labels():
    labels = colored(3).labels
    shares = labels[:, 1:].mean(dim=0).tolist()
    expected = -sum(p * math.log(p) + (1 - p) * math.log(1 - p) for p in shares) / 4  # column 0 is background
    assert _without_looking(losses.MultiLabelLoss(), labels) == pytest.approx(expected, abs=2e-3)


def test_pairs_are_counted_as_in_a_double_loop():
    generator = torch.Generator().manual_seed(2)
    scores = torch.randint(0, 4, (12, 3), generator=generator).float()  # with ties
    labels = torch.rand(12, 3, generator=generator) < 0.4
    number, right = 0, 0.0
    for column, one, other in product((0, 2), range(12), range(12)):
        if labels[one, column] and not labels[other, column]:
            number += 1
            difference = scores[one, column] - scores[other, column]
            right += 1.0 if difference > 0 else 0.5 if difference == 0 else 0.0
    assert _pairs(scores, labels, [0, 2]) == (number, right)


@pytest.mark.parametrize(
    ("last", "pairs", "right", "verdict"),
    [
        (0.01, 1000, 0.9, "right"),
        (0.01, 1000, 0.6, "by heart"),
        (0.01, 50, 0.5, "learned"),
        (0.01, 0, None, "learned"),
        (0.2, 1000, 0.9, "not learned"),
        (math.nan, 1000, 0.9, "not learned"),
    ],
)
def test_verdict(last, pairs, right, verdict):
    fit = Fit(steps=1, first=0.7, last=last, blind=0.4, neighbors=4, pairs=pairs, pairs_right=right)
    assert fit.verdict == verdict


def test_settings_out_of_range_are_refused():
    with pytest.raises(InputError, match=r"overfit\.steps is 0"):
        Overfitting(steps=0)
