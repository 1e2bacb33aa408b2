"""A loss that takes labels for something else than the data set does is refused by what both say, whoever wrote them."""

import re

import pytest
import torch

from lfb_lightning.cli.fitting import refuse_other_labels
from lfb_lightning.datasets import ScoreColumns
from lfb_lightning.errors import InputError
from lfb_lightning.models import MultiLabelLoss, SingleLabelLoss, softmax_blocks
from lfb_lightning.models.block_loss import Block, BlockLoss

VERBS = ScoreColumns(3, blocks={"verb": 3}, exclusive=True)
BOTH = ScoreColumns(7, blocks={"verb": 3, "noun": 4}, exclusive=True)
MANY = ScoreColumns(5, exclusive=False)
UNKNOWN = ScoreColumns(5)
PLAIN = {"background": False}


class Foreign(torch.nn.Module):
    """A loss that says nothing of what competes."""


@pytest.mark.parametrize(
    ("loss", "columns"),
    [
        (SingleLabelLoss(**PLAIN), VERBS),
        (SingleLabelLoss(action_ids=[0, 2], **PLAIN), VERBS),
        (softmax_blocks(widths={"verb": 3, "noun": 4}), BOTH),
        (MultiLabelLoss(**PLAIN), MANY),
        (BlockLoss(blocks={"all": Block(columns=[0, 5], loss=MultiLabelLoss())}), MANY),
        *((loss, UNKNOWN) for loss in (SingleLabelLoss(), MultiLabelLoss())),
        *((Foreign(), columns) for columns in (VERBS, BOTH, MANY)),
    ],
)
def test_losses_that_fit(loss, columns):
    refuse_other_labels(loss, columns, split="train")


@pytest.mark.parametrize(
    ("loss", "columns", "told"),
    [
        (
            MultiLabelLoss(**PLAIN),
            VERBS,
            "MultiLabelLoss scores each action by itself, but what split val shows has one verb",
        ),
        (MultiLabelLoss(**PLAIN), BOTH, "has one verb of 3 and one noun of 4: set loss=softmax_blocks."),
        (SingleLabelLoss(**PLAIN), BOTH, "SingleLabelLoss lets 7 compete, but"),
        (softmax_blocks(widths={"verb": 4, "noun": 3}), BOTH, "BlockLoss lets 4 and 3 compete, but"),
        (
            SingleLabelLoss(**PLAIN),
            MANY,
            "SingleLabelLoss lets 5 actions compete, of which one is right, but what split val",
        ),
        (softmax_blocks(widths={"all": 5}), MANY, "may have any number of them: set loss=multilabel."),
    ],
)
def test_losses_that_do_not(loss, columns, told):
    with pytest.raises(InputError, match=re.escape(told)) as raised:
        refuse_other_labels(loss, columns, split="val")
    assert "\n" not in str(raised.value)
