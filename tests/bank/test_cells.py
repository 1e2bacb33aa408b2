"""Windows of few long cells equal a naive double loop over rows and cells, whose edges are worked out here by other means."""

import re
import tracemalloc
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lfb_lightning.bank import BankConfig, BankRows, FeatureBank
from lfb_lightning.bank.cells import doubling_edges, doubling_lengths, even_edges
from lfb_lightning.bank.window import window_generator
from lfb_lightning.clock import Clock
from lfb_lightning.errors import InputError
from lfb_lightning.models.portable import portable
from lfb_lightning.prediction.recipe import read_recipe
from lfb_lightning.structures import Keyframe

TEN_MINUTES = {"window_seconds": 600, "cells": 60}


def config(**changes):
    return BankConfig(dir="banks", **changes)


def bank_of(rows, *, rate=1, clock=None, precision="fp32"):
    """`rows`: (tick, score) in any order; each feature is its row's number, by tick."""
    rows = sorted(rows, key=lambda row: row[0])
    ticks, scores = (np.array(column) for column in zip(*rows, strict=True))
    features = torch.arange(1.0, len(rows) + 1)[:, None] * torch.tensor([[1.0, -1.0]])
    content = BankRows(
        torch.from_numpy(ticks), torch.zeros(len(rows), 4), torch.from_numpy(scores.astype(np.float32)), features
    )
    return FeatureBank.from_rows(
        {"v": content}, channels=2, ticks_per_second=rate, clock=clock, precision=precision
    ), rows


def naive_slots(rows, tick, spec, *, rate, own_rate):
    """Which row stands in each slot, -1 for none: every row is looked for in every cell."""
    slots = []
    for begin, end in zip(spec.edges, spec.edges[1:], strict=False):
        inside = []
        for number, (row_tick, score) in enumerate(rows):
            away = Fraction(row_tick) / Fraction(rate) - Fraction(tick) / Fraction(own_rate)
            if begin <= away < end and -spec.before <= away <= spec.after:
                inside.append((-np.float32(score), number))
        taken = sorted(number for _, number in sorted(inside)[: spec.per_tick])
        slots += taken + [-1] * (spec.per_tick - len(taken))
    return slots


lengths_of = st.integers(1, 200).flatmap(lambda cells: st.tuples(st.just(cells), st.integers(cells, 5000)))


@given(lengths_of)
def test_lengths_double_away_from_the_key_frame_and_fill_the_side(case):
    cells, seconds = case
    lengths = doubling_lengths(cells, seconds)
    assert (len(lengths), sum(lengths)) == (cells, seconds)
    assert lengths == sorted(lengths)
    if cells > 12:  # fewer may leave a rest to the outermost cell
        assert all(length & (length - 1) == 0 for length in lengths)
    if cells >= 20 and seconds <= 1000:
        assert set(lengths) == {2**level for level in range(len(set(lengths)))}, "no length is left out"


@pytest.mark.parametrize(
    ("cells", "seconds", "groups"),
    [
        (30, 30, {1: 30}),
        (30, 31, {1: 29, 2: 1}),
        (30, 60, {1: 10, 2: 15, 4: 5}),
        (30, 300, {1: 6, 2: 5, 4: 5, 8: 5, 16: 4, 32: 5}),
        (3, 30, {1: 1, 2: 1, 27: 1}),
        (1, 5, {5: 1}),
        (0, 0, {}),
    ],
)
def test_lengths_worked_out_by_hand(cells, seconds, groups):
    lengths = doubling_lengths(cells, seconds)
    assert {length: lengths.count(length) for length in lengths} == groups


def test_the_edges_of_ten_minutes():
    edges = config(layout="hierarchical", **TEN_MINUTES).window_spec(training=False).edges
    assert (edges[0], edges[30], edges[-1]) == (-300, 0, 300)
    assert edges[31:38] == (1, 2, 3, 4, 5, 6, 8)
    assert [-edge for edge in edges[30::-1]] == list(edges[30:])
    causal = config(layout="hierarchical", placement="causal", **TEN_MINUTES).window_spec(training=False).edges
    assert (causal[0], causal[-3:]) == (-599, (-1, 0, 1))
    strided = config(layout="strided", **TEN_MINUTES).window_spec(training=False).edges
    assert strided == tuple(range(-300, 301, 10))


def test_a_cell_for_each_second_is_the_grid():
    rng = np.random.default_rng(0)
    bank, _ = bank_of(
        [(int(tick), float(score)) for tick, score in zip(rng.integers(0, 80, 300), rng.random(300), strict=True)]
    )
    keyframes = [Keyframe("v", tick) for tick in (0, 17, 40, 79)]
    for placement in ("centered", "causal"):
        for seconds in (1, 7, 60):
            grid, *others = (
                bank.windows(
                    keyframes,
                    config(window_seconds=seconds, layout=layout, placement=placement).window_spec(training=False),
                )
                for layout in ("grid", "strided", "hierarchical")
            )
            for other in others:
                assert torch.equal(grid.features, other.features)
                assert torch.equal(grid.mask, other.mask)


clocks = st.sampled_from(
    [("1", "1"), ("24", "24"), ("30000/1001", "30000/1001"), ("1", "30"), ("24", "1"), ("4", "100")]
)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(-300, 300), st.sampled_from([0.0, 0.25, 0.5, 1.0])), min_size=1, max_size=60),
    layout=st.sampled_from(["strided", "hierarchical"]),
    placement=st.sampled_from(["centered", "causal"]),
    size=st.integers(2, 12).flatmap(lambda cells: st.tuples(st.just(cells), st.integers(cells, 130))),
    sides=st.sampled_from([(None, None), ("70/3", "41/2"), (60, 0), (0, 33)]),
    per_second=st.integers(1, 3),
    rates=clocks,
    ticks=st.lists(st.integers(-400, 400), min_size=1, max_size=4),
)
def test_windows_equal_a_naive_double_loop(rows, layout, placement, size, sides, per_second, rates, ticks):
    cells, seconds = size
    before, after = sides
    spec = config(
        layout=layout,
        placement=placement,
        cells=cells,
        window_seconds=seconds,
        window_before=before,
        window_after=after,
        features_per_second=per_second,
    ).window_spec(training=False)
    rate, own_rate = rates
    bank, rows = bank_of(rows, rate=rate, clock=Clock.parse(own_rate))
    keyframes = [Keyframe("v", tick) for tick in ticks]
    found = bank.window_rows(keyframes, spec)
    for tick, slots in zip(ticks, found.tolist(), strict=True):
        expected = naive_slots(rows, tick, spec, rate=Fraction(rate), own_rate=Fraction(own_rate))
        assert slots == expected
    window = bank.windows(keyframes, spec)
    assert torch.equal(window.mask, torch.from_numpy(found >= 0))
    assert torch.equal(window.features[..., 0][window.mask], torch.from_numpy(found[found >= 0] + 1).float())


@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16", "int8"])
@pytest.mark.parametrize("layout", ["strided", "hierarchical"])
def test_ten_minutes_have_the_slots_of_one_in_every_precision(layout, precision):
    bank, _ = bank_of([(tick, 1.0) for tick in range(1000) for _ in range(2)], precision=precision)
    spec = config(layout=layout, **TEN_MINUTES).window_spec(training=False)
    window = bank.window(Keyframe("v", 500), spec)
    assert window.features.shape == (1, 300, 2)
    taken = bank.window_rows([Keyframe("v", 500)], spec)[0]
    assert (taken[taken >= 0] // 2).min() == 200
    assert (taken[taken >= 0] // 2).max() > 760
    values = window.padded(torch.float32)[0, :, 0][window.mask[0]]
    bound = {"fp32": 0, "fp16": 2**-11, "bf16": 2**-8, "int8": 1 / 254}[precision]
    expected = torch.from_numpy(taken[taken >= 0] + 1.0).float()
    assert ((values - expected).abs() <= bound * expected).all()


def test_a_random_choice_is_of_the_whole_cell_and_repeats_itself():
    bank, _ = bank_of([(tick, 1.0) for tick in range(600)])
    spec = config(layout="hierarchical", **TEN_MINUTES).window_spec(training=True)
    keyframe = Keyframe("v", 300)
    draws = [
        bank.window_rows([keyframe], spec, [window_generator(seed, 0, keyframe)])[0] for seed in (0, 0, *range(1, 60))
    ]
    assert np.array_equal(draws[0], draws[1])
    outermost = np.concatenate([rows[:5] for rows in draws])
    assert set(range(32)) == set(outermost.tolist())  # 32 seconds, all of which come up


def test_nothing_after_a_moment_is_seen_where_the_past_alone_is_known():
    """As `prediction.causal` does it: the window's end is moved and its cells stay."""
    bank, _ = bank_of([(tick, 1.0) for tick in range(600)])
    spec = config(layout="hierarchical", **TEN_MINUTES).window_spec(training=False)
    whole, past = (
        bank.window_rows([Keyframe("v", 300)], one)[0] for one in (spec, replace(spec, after=min(spec.after, 0)))
    )
    assert np.array_equal(past[: 31 * 5], whole[: 31 * 5])
    assert (past[31 * 5 :] == -1).all()
    assert (whole[31 * 5 :] > 300).any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cells": 30}, "bank.cells is 30 of bank.window_seconds=60, but bank.layout=grid"),
        (
            {"layout": "packed", "cells": 30},
            "bank.cells is 30 of bank.window_seconds=60, but bank.layout=packed has no cells",
        ),
        ({"layout": "strided", "cells": 61}, "bank.cells is 61, expected 1 to 60"),
        ({"layout": "strided", "cells": 0}, "bank.cells is 0, expected 1 to 60"),
        ({"layout": "hierarchical", "cells": 1}, "bank.cells is 1, expected 2 to 60"),
        (
            {"layout": "hierarchical", "cells": 30, "slots": 300},
            "bank.slots is 300, but bank.layout=hierarchical has 150",
        ),
        ({"layout": "hierarchical", "window_after": -5}, "need one that the key frame is in"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_key(changes, message):
    with pytest.raises(InputError, match=re.escape(message)):
        config(**changes)


@pytest.mark.parametrize("layout", ["strided", "hierarchical"])
def test_a_file_of_millions_of_cells_takes_no_memory(layout):
    """Edges are fractions of 100 bytes and more: they are made for as many cells as a window has room for."""
    tracemalloc.start()
    with pytest.raises(InputError, match="expected at most 1,000,000 slots"):
        config(layout=layout, cells=7_000_000, window_before=7_999_999)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize("cells", [3, 4])
def test_half_a_second_before_the_key_frame_is_part_of_its_cell(cells):
    edges = doubling_edges(Fraction(1, 2), 3, cells)
    assert (edges[0], edges[1], edges[-1], len(edges)) == (Fraction(-1, 2), 1, 4, cells + 1)
    bank, _ = bank_of([(tick, 1.0) for tick in range(8)], rate=2)
    spec = config(layout="hierarchical", window_before="1/2", window_after=3, cells=4, features_per_second=3)
    rows = bank.window_rows([Keyframe("v", 3)], spec.window_spec(training=False))
    assert rows[0].tolist() == [2, 3, 4, 5, 6, -1, 7, -1, -1, -1, -1, -1]


def test_a_window_of_cells_outlives_its_run():
    stored = {"bank": {"dir": "here", "layout": "hierarchical", **TEN_MINUTES}, "model": {}, "data": {"fps": 10.0}}
    recipe = read_recipe(portable(stored), source="model", num_columns=3)
    assert recipe.window == config(layout="hierarchical", **TEN_MINUTES).window_spec(training=False)
    assert recipe.reach == 300


def test_edges_that_do_not_fit_a_window_are_a_mistake():
    spec = config().window_spec(training=False)
    for edges in (even_edges(30, 29, 30), tuple(reversed(even_edges(30, 29, 60)))):
        with pytest.raises(ValueError, match="edges"):
            replace(spec, edges=edges)
    assert len(doubling_edges(30, 29, 60)) == 61
