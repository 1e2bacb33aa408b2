"""What a loss makes of logits: independent actions, or a distribution over the actions with a loss."""

import pytest
import torch

from lfb_lightning.models import MultiLabelLoss, SingleLabelLoss

LOGITS = torch.tensor([[9.0, 0.0, 0.6931471805599453, 0.0]])  # the third is log 2


def test_multi_label_is_the_sigmoid_of_every_column():
    assert MultiLabelLoss().scores(LOGITS)[0, 1:].tolist() == pytest.approx([0.5, 2 / 3, 0.5])


def test_single_label_is_the_softmax_of_the_columns_with_a_loss():
    assert SingleLabelLoss().scores(LOGITS)[0].tolist() == pytest.approx([0.0, 0.25, 0.5, 0.25])
    assert SingleLabelLoss(action_ids=[1, 2]).scores(LOGITS)[0].tolist() == pytest.approx([0.0, 1 / 3, 2 / 3, 0.0])
    whole = SingleLabelLoss(background=False).scores(LOGITS)[0]
    torch.testing.assert_close(whole, torch.softmax(LOGITS[0], 0))


def test_scores_are_fp32_under_autocast():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert SingleLabelLoss().scores(LOGITS.bfloat16()).dtype == torch.float32
