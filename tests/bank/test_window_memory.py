"""Memory of windows is used again, and never while somebody still has it."""

import os
import pickle

import torch

from lfb_lightning.bank.window_memory import _MOST, WindowMemory

SIZE = 1 << 21


def test_it_is_used_again_when_nobody_has_it():
    memory = WindowMemory()
    first = memory.lend(SIZE)
    place = first.data_ptr()
    part = first.view(torch.float16).view(-1, 64)[3:5]
    del first
    second = memory.lend(SIZE)
    assert second.data_ptr() != place, "a part of the first one is still there"
    del part
    assert memory.lend(SIZE - 64).data_ptr() == place
    assert memory.lend(2 * SIZE).data_ptr() not in (place, second.data_ptr()), "too small"


def test_what_a_backward_pass_needs_is_not_written_over():
    memory = WindowMemory()
    weight = torch.ones(SIZE // 4, requires_grad=True)
    total = (weight * memory.lend(SIZE).view(torch.float32).fill_(3.0)).sum()
    memory.lend(SIZE).fill_(0)
    total.backward()
    assert weight.grad.unique().tolist() == [3.0]


def test_many_at_once_are_apart_and_few_are_kept():
    memory = WindowMemory()
    lent = [memory.lend(SIZE).fill_(number) for number in range(2 * _MOST)]
    assert [one.unique().item() for one in lent] == list(range(2 * _MOST))
    assert len(memory._blocks) == _MOST
    del lent
    assert memory.lend(SIZE).shape == (SIZE,)
    assert len(memory._blocks) == _MOST


def test_small_ones_and_none_are_the_allocators():
    memory = WindowMemory()
    assert memory.lend(0).shape == (0,)
    assert memory.lend(SIZE // 2 - 1).shape == (SIZE // 2 - 1,)
    assert memory._blocks == []
    memory.lend(SIZE)
    assert pickle.loads(pickle.dumps(memory))._blocks == []


def test_a_forked_process_has_its_own():
    memory = WindowMemory()
    lent = memory.lend(SIZE).fill_(1)
    if (child := os.fork()) == 0:
        lent.fill_(2)
        os._exit(0)
    os.waitpid(child, 0)
    assert lent.unique().tolist() == [1]
