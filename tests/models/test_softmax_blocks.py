"""A softmax for each kind of label: its columns, its loss by hand, and what a checkpoint may name."""

import math

import pytest
import torch

from lfb_lightning.errors import InputError
from lfb_lightning.models import softmax_blocks
from lfb_lightning.models.checkpoint import LOSSES
from lfb_lightning.models.stored_objects import StoredObjects

# Verbs of 2 columns, nouns of 3. Row 0: ln(1 + e) - 1 and ln 3; row 1: ln 2 and ln(1 + 1 + 4) - ln 4.
LOGITS = torch.tensor([[1.0, 0, 0, 0, 0], [0, 0, 0, math.log(4), 0]])
LABELS = torch.tensor([[1.0, 0, 1, 0, 0], [0, 1, 0, 1, 0]])
VERBS = (math.log(1 + math.e) - 1 + math.log(2)) / 2
NOUNS = (math.log(3) + math.log(6 / 4)) / 2
WIDTHS = {"verb": 2, "noun": 3}


@pytest.mark.parametrize(("reduce", "expected"), [("mean", (VERBS + NOUNS) / 2), ("sum", VERBS + NOUNS)])
def test_the_losses_of_the_kinds_are_reduced(reduce, expected):
    loss = softmax_blocks(widths=WIDTHS, reduce=reduce)
    assert loss(LOGITS, LABELS).item() == pytest.approx(expected)
    scores = loss.scores(LOGITS)
    torch.testing.assert_close(scores[:, :2], torch.softmax(LOGITS[:, :2], dim=1))
    torch.testing.assert_close(scores[:, 2:], torch.softmax(LOGITS[:, 2:], dim=1))


def test_one_kind_is_a_softmax_over_all_columns_the_first_one_included():
    loss = softmax_blocks(widths={"verb": 5})
    assert loss.action_ids == [0, 1, 2, 3, 4]
    labels = torch.eye(5)[[0, 3]]
    assert loss(LOGITS, labels).item() == pytest.approx((math.log(4 + math.e) - 1 + math.log(8) - math.log(4)) / 2)


def test_a_checkpoint_may_name_it():
    node = {"_target_": "lfb_lightning.models.softmax_blocks", "widths": WIDTHS, "reduce": "mean"}
    loss = StoredObjects(source="checkpoint x").build(node, "loss", LOSSES)
    assert loss(LOGITS, LABELS).item() == pytest.approx((VERBS + NOUNS) / 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"widths": None}, "loss.widths is None, expected how many columns"),
        ({"widths": {}}, "loss.widths is {}"),
        ({"widths": {"verb": 0}}, "loss.widths is {'verb': 0}"),
        ({"widths": WIDTHS, "reduce": "max"}, "loss.reduce is 'max', expected one of mean, sum"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        softmax_blocks(**arguments)
