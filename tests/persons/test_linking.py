from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lfb_lightning.errors import InputError
from lfb_lightning.persons import PersonLinker, TrackersLinker
from lfb_lightning.persons.assignment import cheapest_pairs

NOBODY = (np.zeros((0, 4)), np.zeros(0))


def people(*centers, height=0.4, width=0.1):
    """Boxes around centers, with scores that fall."""
    boxes = [[x - width / 2, y - height / 2, x + width / 2, y + height / 2] for x, y in centers]
    return np.array(boxes).reshape(-1, 4), 0.9 - 0.01 * np.arange(len(centers))


def linked(linker, *moments):
    """Ids at seconds 0, 1, 2, ..."""
    return [linker.link(float(second), *moment).tolist() for second, moment in enumerate(moments)]


@pytest.fixture(params=["ours", "trackers"])
def make(request):
    """A linker for ten moments per second."""
    return PersonLinker if request.param == "ours" else lambda: TrackersLinker(rate=10.0)


def test_a_walker_keeps_the_id_though_boxes_no_longer_overlap():
    steps = [people((0.1 + 0.12 * second, 0.5)) for second in range(7)]
    assert linked(PersonLinker(), *steps) == [[0]] * 7


def test_two_walkers_who_cross_keep_their_ids():
    steps = [people((0.1 + 0.1 * s, 0.5), (0.9 - 0.1 * s, 0.55)) for s in range(9)]
    shuffled = [(boxes[::-1], scores) if s % 2 else (boxes, scores) for s, (boxes, scores) in enumerate(steps)]
    assert linked(PersonLinker(), *shuffled) == [[1, 0] if s % 2 else [0, 1] for s in range(9)]


def test_somebody_who_is_missed_for_two_moments_comes_back_under_the_id_and_after_long_under_a_new_one():
    there, gone = people((0.5, 0.5)), NOBODY
    assert linked(PersonLinker(), there, gone, gone, there) == [[0], [], [], [0]]
    assert linked(PersonLinker(), there, gone, gone, gone, there) == [[0], [], [], [], [1]]


def test_the_gate_grows_with_the_gap():
    linker = PersonLinker(aspect=1.0, reach=0.0, reach_per_second=1.0)
    assert linked(linker, people((0.2, 0.5)), people((0.61, 0.5))) == [[0], [1]]  # 1.025 heights in one second
    linker = PersonLinker(aspect=1.0, reach=0.0, reach_per_second=1.0)
    assert linked(linker, people((0.2, 0.5)), NOBODY, people((0.61, 0.5))) == [[0], [], [0]]  # and in two


def test_distances_are_those_of_the_picture_not_of_its_fractions():
    across = [people((0.4, 0.5)), people((0.6, 0.5))]  # 0.2 widths: 0.5 heights of the box at 1:1, 2 at 4:1
    assert linked(PersonLinker(aspect=1.0), *across) == [[0], [0]]
    assert linked(PersonLinker(aspect=4.0), *across) == [[0], [1]]


def test_of_two_candidates_the_one_of_the_same_size_is_taken():
    far = people((0.5, 0.5), height=0.2)
    near = people((0.54, 0.5), height=0.6)
    both = np.concatenate([near[0], people((0.45, 0.5), height=0.2)[0]]), np.array([0.9, 0.8])
    assert linked(PersonLinker(aspect=1.0), far, both) == [[0], [1, 0]]


def test_who_came_first_has_the_better_score():
    boxes, _ = people((0.1, 0.5), (0.9, 0.5))
    assert PersonLinker().link(0.0, boxes, np.array([0.5, 0.9])).tolist() == [1, 0]


def test_moments_in_the_wrong_order_are_the_developers_mistake():
    linker = PersonLinker()
    linker.link(1.0, *NOBODY)
    with pytest.raises(ValueError, match=r"second 1\.0 follows second 1\.0"):
        linker.link(1.0, *NOBODY)


BOX = st.tuples(*[st.floats(0, 1)] * 4).map(
    lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3]))
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0.05, 5), st.lists(BOX, max_size=6)), max_size=8))
def test_whatever_is_found_ids_are_unique_in_a_moment_and_equal_when_replayed(moments):
    def run():
        linker, second, ids = PersonLinker(), 0.0, []
        for gap, boxes in moments:
            second += gap
            ids.append(linker.link(second, np.array(boxes).reshape(-1, 4), np.linspace(0.9, 0.5, len(boxes))))
        return ids

    first, again = run(), run()
    assert all((one == other).all() for one, other in zip(first, again, strict=True))
    for ids, (_, boxes) in zip(first, moments, strict=True):
        assert len(ids) == len(boxes) == len(set(ids.tolist()))
    seen = np.unique(np.concatenate([np.zeros(0, int), *first]))
    assert (seen == np.arange(len(seen))).all()  # no number is left out


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 5), st.integers(1, 5), st.data())
def test_the_cheapest_pairs_are_those_of_trying_all(rows, columns, data):
    cost = np.array(data.draw(st.lists(st.integers(0, 9), min_size=rows * columns, max_size=rows * columns)), float)
    cost = cost.reshape(rows, columns)
    pairs = cheapest_pairs(cost)
    few = cost if rows <= columns else cost.T
    best = min(sum(few[i, order[i]] for i in range(len(few))) for order in permutations(range(few.shape[1]), len(few)))
    assert len(pairs) == min(rows, columns)
    assert len(set(pairs[:, 0])) == len(set(pairs[:, 1])) == len(pairs)
    assert cost[pairs[:, 0], pairs[:, 1]].sum() == best


def test_nobody_to_pair():
    assert cheapest_pairs(np.zeros((0, 3))).shape == cheapest_pairs(np.zeros((3, 0))).shape == (0, 2)


def test_at_high_rates_every_linker_keeps_ids_from_the_first_box_on(make):
    linker = make()
    for step in range(20):
        boxes, scores = people((0.2 + 0.01 * step, 0.5), (0.8 - 0.01 * step, 0.4))
        assert linker.link(step / 10, boxes, scores).tolist() == [0, 1]
    assert linker.link(2.0, *NOBODY).tolist() == []
    assert linker.link(2.1, *people((0.4, 0.5), (0.6, 0.4), (0.1, 0.7))).tolist() == [0, 1, 2]


def test_the_linker_for_high_rates_refuses_low_ones():
    with pytest.raises(InputError, match="detection rate 1: linking with `trackers` needs at least 5 per second"):
        TrackersLinker(rate=1.0)
