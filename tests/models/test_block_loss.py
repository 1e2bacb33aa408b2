"""Losses of blocks of columns, and of columns without a background, worked out by hand."""

import math

import pytest
import torch
from torch import nn

from lfb_lightning.errors import InputError
from lfb_lightning.models import Block, BlockLoss, Loss, MultiLabelLoss, SingleLabelLoss
from lfb_lightning.models.checkpoint import LOSSES
from lfb_lightning.models.stored_objects import StoredObjects

# Two softmax blocks, of 2 and 3 columns. Row 0: ln(1 + e) - 1 and ln 3; row 1: ln 2 and ln(1 + 1 + 4) - ln 4.
LOGITS = torch.tensor([[1.0, 0, 0, 0, 0], [0, 0, 0, math.log(4), 0]])
LABELS = torch.tensor([[1.0, 0, 0, 1, 0], [0, 1, 0, 1, 0]])
FIRST = math.log(1 + math.e) - 1 + math.log(2)
SECOND = math.log(3) + math.log(6 / 4)


def two(**weights):
    return BlockLoss(
        blocks={
            "noun": Block(columns=[2, 5], loss=SingleLabelLoss(), **weights),
            "verb": Block(columns=[0, 2], loss=SingleLabelLoss()),
        }
    )


def test_two_blocks_by_hand():
    loss = two()
    total, count = loss.sum(LOGITS, LABELS)
    assert (total.item(), count.item()) == (pytest.approx(FIRST + SECOND), 2)
    assert loss(LOGITS, LABELS).item() == pytest.approx((FIRST + SECOND) / 2)
    assert two(weight=3.0).sum(LOGITS, LABELS)[0].item() == pytest.approx(FIRST + 3 * SECOND)
    sixth = 1 / 6
    expected = [[math.e / (1 + math.e), 1 / (1 + math.e), 1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, sixth, 4 * sixth, sixth]]
    torch.testing.assert_close(loss.scores(LOGITS), torch.tensor(expected))
    assert loss.action_ids == [0, 1, 2, 3, 4]
    assert isinstance(loss, Loss)


def test_a_row_labeled_in_one_block_only_counts_there():
    labels = LABELS.clone()
    labels[1, 2:] = 0
    total, count = two().sum(LOGITS, labels)
    assert (total.item(), count.item()) == (pytest.approx(FIRST + math.log(3)), 2)


def test_blocks_without_persons_are_zero_and_reach_every_column():
    logits = torch.randn(2, 7, requires_grad=True)
    two()(logits, torch.zeros(2, 7)).backward()
    assert torch.equal(logits.grad, torch.zeros(2, 7))
    total, count = two().sum(torch.zeros(0, 5), torch.zeros(0, 5))
    assert (total.item(), count.item()) == (0.0, 0.0)


def test_unclaimed_columns_score_nothing():
    loss = BlockLoss(blocks={"some": Block(columns=[1, 3], loss=MultiLabelLoss(action_ids=[1]))})
    assert loss.scores(torch.zeros(1, 4)).tolist() == [[0.0, 0.5, 0.5, 0.0]]
    assert loss.action_ids == [2]


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ({}, r"loss\.blocks is empty"),
        ({"b": [1, 3], "a": [0, 2]}, r"a and b share column 1"),
    ],
)
def test_impossible_blocks_are_one_line(blocks, message):
    with pytest.raises(InputError, match=message):
        BlockLoss(blocks={name: Block(columns=columns, loss=SingleLabelLoss()) for name, columns in blocks.items()})


@pytest.mark.parametrize("columns", [[3], [2, 2], [-1, 2], [0, 1, 2]])
def test_impossible_columns_are_one_line(columns):
    with pytest.raises(InputError, match=r"^columns is .*expected the first and the one behind the last"):
        Block(columns=columns, loss=SingleLabelLoss())


def test_a_model_with_too_few_columns_is_told():
    with pytest.raises(InputError, match=r"columns up to 4, but the model has 4: set model\.num_classes=5"):
        two().sum(LOGITS[:, :4], LABELS[:, :4])


@pytest.mark.parametrize(("given", "said", "means"), [(None, None, True), (None, False, False), (True, False, True)])
def test_background_is_the_label_maps_business(given, said, means):
    loss = MultiLabelLoss(background=given)
    if said is not None:
        loss.set_background(said)
    # Column 0 costs ln 2; so does column 1, in which row 0 has an action; row 1 has one only if column 0 is one.
    total, count = loss.sum(torch.zeros(2, 2), torch.tensor([[0.0, 1], [1, 0]]))
    assert (total.item(), count.item()) == (pytest.approx(math.log(2) * (1 if means else 2)), 1 if means else 2)


def test_all_rows_and_columns_of_a_clip_level_loss_count():
    # As Charades': 2 columns, 2 rows, one of them without an action. Mean over the columns, sum over the rows.
    loss = MultiLabelLoss(background=False, empty_rows=True)
    logits, labels = torch.tensor([[2.0, -1], [1, 0]]), torch.tensor([[1.0, 0], [0, 0]])
    softplus = [math.log1p(math.exp(x)) for x in (-2, -1, 1, 0)]
    total, count = loss.sum(logits, labels)
    assert (total.item(), count.item()) == (pytest.approx(sum(softplus) / 2), 2)


def test_a_strangers_loss_in_a_block():
    class Distance(nn.Module):
        def sum(self, logits, labels):
            return (logits - labels).abs().sum(), torch.tensor(float(len(logits)))

        def scores(self, logits):
            return logits.clamp(0, 1)

    loss = BlockLoss(blocks={"x": Block(columns=[1, 2], loss=Distance())})
    assert [value.item() for value in loss.sum(torch.tensor([[9.0, 3.0]]), torch.zeros(1, 2))] == [3.0, 1.0]
    assert loss.action_ids == [1]


def test_a_checkpoints_configuration_builds_blocks():
    node = {
        "_target_": "lfb_lightning.models.BlockLoss",
        "blocks": {
            "verb": {
                "_target_": "lfb_lightning.models.Block",
                "columns": [0, 2],
                "loss": {"_target_": "lfb_lightning.models.SingleLabelLoss"},
            }
        },
    }
    loss = StoredObjects(source="checkpoint x.ckpt").build(node, "loss", LOSSES)
    assert loss.sum(LOGITS, LABELS)[0].item() == pytest.approx(FIRST)
