"""Scores of items: views are reduced, repetitions count once, and two processes know what one does."""

import multiprocessing

import pytest
import torch
import torch.distributed as dist

from lfb_lightning.errors import InputError
from lfb_lightning.metrics import ItemScores
from lfb_lightning.structures import Detections, Keyframe


def batch(views, scores):
    """One region per view; a view is (item, video, tick)."""
    keyframes = [Keyframe(video, tick) for _, video, tick in views]
    rows = torch.tensor(scores, dtype=torch.float32).reshape(len(views), len(scores[0]) if scores else 3)
    boxes = torch.tensor([[0.0, 0.0, 1.0, 1.0]], dtype=torch.float64).repeat(len(views), 1)
    return Detections(keyframes, torch.arange(len(views)), boxes, rows, tuple(item for item, _, _ in views))


VIEWS = [(4, "b", 1), (0, "a", 7), (4, "b", 2), (4, "c", 1)]
SCORES = [[0.25, 0.5], [1.0, 0.0], [0.75, 0.25], [0.5, 0.0]]


@pytest.mark.parametrize(("reduce", "four"), [("mean", [0.5, 0.25]), ("max", [0.75, 0.5])])
def test_views_of_an_item_become_one_row(reduce, four):
    metric = ItemScores(columns=2, reduce=reduce)
    metric.update(batch(VIEWS, SCORES))
    items, scores = metric.compute()
    assert items.tolist() == [0, 4]
    assert scores.tolist() == [[1.0, 0.0], four]


def test_a_view_that_arrives_again_counts_as_it_was_first_seen():
    metric = ItemScores(columns=2)
    metric.update(batch(VIEWS, SCORES))
    metric.update(batch(VIEWS[:1], [[100.0, 100.0]]))
    assert metric.compute()[1].tolist() == [[1.0, 0.0], [0.5, 0.25]]


def test_one_keyframe_of_two_items_is_two_views():
    metric = ItemScores(columns=2)
    metric.update(batch([(0, "a", 7), (1, "a", 7)], [[0.5, 0.5], [0.25, 0.75]]))
    assert metric.compute()[1].tolist() == [[0.5, 0.5], [0.25, 0.75]]


def test_columns_beyond_are_left_out_and_a_reset_forgets():
    metric = ItemScores(columns=1)
    metric.update(batch(VIEWS, SCORES))
    assert metric.compute()[1].shape == (2, 1)
    metric.reset()
    metric.update(batch([(3, "a", 7)], [[0.5, 0.5]]))
    assert metric.compute()[0].tolist() == [3]


def test_nothing_collected_is_no_item():
    metric = ItemScores(columns=3)
    metric.update(batch([], []))
    items, scores = metric.compute()
    assert items.shape == (0,)
    assert scores.shape == (0, 3)


def test_another_reduction_is_refused():
    with pytest.raises(InputError, match="reduce is 'median', expected mean or max"):
        ItemScores(columns=3, reduce="median")


def of_rank(rank, store, mine, answers):
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    metric = ItemScores(columns=2)
    metric.update(mine)
    items, scores = metric.compute()
    metric.reset()
    answers.put((rank, items.tolist(), scores.tolist()))
    dist.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize(
    "of_second",
    [batch(VIEWS[1:], [[9.0, 9.0], *SCORES[2:]]), pytest.param(batch([], []), marks=pytest.mark.thorough)],
    ids=["some", "none"],
)
def test_two_processes_know_what_one_does(tmp_path, of_second):
    first = batch(VIEWS[:2], SCORES[:2]) if len(of_second.scores) else batch(VIEWS, SCORES)
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    ranks = [
        context.Process(target=of_rank, args=(rank, str(tmp_path / "store"), mine, answers))
        for rank, mine in enumerate([first, of_second])
    ]
    for rank in ranks:
        rank.start()
    found = [answers.get(timeout=120) for _ in ranks]
    for rank in ranks:
        rank.join()
        assert rank.exitcode == 0
    # Item 0 is seen by both; the first rank's scores count.
    assert [(items, scores) for _, items, scores in sorted(found)] == [([0, 4], [[1.0, 0.0], [0.5, 0.25]])] * 2
