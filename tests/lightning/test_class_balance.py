"""Rare actions are drawn more often, by the weights that were asked for; nothing else about batches changes."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lfb_lightning.lightning.datamodules.batching import DealtBatches, SampleKey
from lfb_lightning.lightning.datamodules.class_balance import keyframe_weights
from lfb_lightning.lightning.datamodules.training_clips import sample_generator

ACTIONS = np.array([[1, 0, 0]] * 8 + [[1, 1, 0]] * 2 + [[0, 0, 0]], dtype=bool)


def test_weight_is_that_of_the_rarest_action_by_hand():
    assert keyframe_weights(ACTIONS, 1.0) == pytest.approx([1 / 10] * 8 + [1 / 2] * 2 + [0.0])
    assert keyframe_weights(ACTIONS, 0.5) == pytest.approx([10**-0.5] * 8 + [2**-0.5] * 2 + [0.0])
    assert keyframe_weights(ACTIONS, 0.0) == pytest.approx([1.0] * 10 + [0.0])


@given(counts=st.lists(st.integers(1, 30), min_size=1, max_size=6))
def test_balanced_draws_show_single_actions_alike(counts):
    actions = np.repeat(np.eye(len(counts), dtype=bool), counts, axis=0)
    weights = keyframe_weights(actions, 1.0)
    assert weights @ actions / weights.sum() == pytest.approx(np.full(len(counts), 1 / len(counts)))


def batches(weights, rank, world_size, epoch=0):
    dealt = DealtBatches(
        len(weights), batch_size=3, seed=5, shuffle=True, rank=rank, world_size=world_size, weights=weights
    )
    dealt.set_epoch(epoch)
    return [[key.index for key in batch] for batch in dealt]


def test_drawn_batches_follow_the_weights_and_are_dealt_from_one_order():
    weights = torch.tensor([0.0, 1.0, 3.0] + [0.0] * 3997, dtype=torch.float64)
    drawn = [index for batch in batches(weights, 0, 1) for index in batch]
    assert len(drawn) == 4000
    assert set(drawn) == {1, 2}
    assert drawn.count(2) == pytest.approx(3000, abs=6 * (4000 * 0.75 * 0.25) ** 0.5)
    first, second = (batches(weights, rank, 2) for rank in range(2))
    together = [pair for one, two in zip(first, second, strict=True) for pair in zip(one, two, strict=False)]
    assert [index for pair in together for index in pair][:3900] == drawn[:3900]
    assert batches(weights, 0, 1) == batches(weights, 0, 1) != batches(weights, 0, 1, epoch=1)


def test_a_keyframe_that_is_drawn_again_is_augmented_anew():
    dealt = DealtBatches(3, batch_size=2, seed=0, shuffle=True, weights=torch.tensor([1.0, 0.0, 0.0]))
    keys = [key for batch in dealt for key in batch]
    assert keys == [SampleKey(0, 0, repeat) for repeat in range(3)]
    draws = {tuple(torch.rand(4, generator=sample_generator(1, key)).tolist()) for key in keys}
    assert len(draws) == 3
