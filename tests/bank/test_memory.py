"""A bank in memory has the windows of one on disk, whatever the clocks; bounds are exact."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lfb_lightning.bank import BankRows, BankWriter, FeatureBank, WindowSpec, finish_bank
from lfb_lightning.bank.window import window_generator
from lfb_lightning.clock import Clock
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe
from tests.bank.test_window import provenance

RATES = ["1", "4", "24", "30", "100", "30000/1001", "1/2"]
fractions = st.builds(Fraction, st.integers(0, 40), st.sampled_from([1, 2, 3, 24]))


@st.composite
def forms(draw):
    per_tick = draw(st.integers(1, 3))
    return {  # made in the test: type checks draw at random, which a strategy may not
        "before": draw(fractions),
        "after": draw(fractions),
        "slots": draw(st.integers(1, 30)) * per_tick,
        "per_tick": per_tick,
        "layout": draw(st.sampled_from(["grid", "packed"])),
        "selection": draw(st.sampled_from(["random", "top_score"])),
    }


def rows_of(ticks, seed):
    generator = torch.Generator().manual_seed(seed)
    count = len(ticks)
    return BankRows(
        timestamps=torch.tensor(ticks, dtype=torch.int64),
        boxes=torch.rand(count, 4, generator=generator, dtype=torch.float64),
        scores=torch.rand(count, generator=generator, dtype=torch.float64),
        features=torch.randn(count, 4, generator=generator),
    )


def by_time(rows):
    return sorted(range(len(rows.timestamps)), key=lambda row: int(rows.timestamps[row]))


def generators_of(keyframes, spec):
    return [window_generator(0, 0, keyframe) for keyframe in keyframes] if spec.selection == "random" else None


def naive_window(rows, tick, spec, rate, bank_rate, step):
    """The rows of a window and their slots by the definition, in loops over exact seconds; best scores only."""
    center = tick / rate
    begin, end = center - spec.before, center + spec.after
    order = by_time(rows)
    seconds = {row: int(rows.timestamps[row]) / bank_rate for row in order}
    groups = {}
    if spec.layout == "packed":
        for row in order:
            if begin <= seconds[row] <= end:
                groups.setdefault(int(rows.timestamps[row]), []).append(row)
    else:
        first = math.ceil(begin * bank_rate)
        for row in order:
            cell, _ = divmod(int(rows.timestamps[row]) - first, step)
            starts_within = (first + cell * step) / bank_rate <= end
            if 0 <= cell < spec.slots // spec.per_tick and starts_within:
                groups.setdefault(cell, []).append(row)
    kept = {}
    for key, group in groups.items():
        best = sorted(group, key=lambda row: -np.float32(rows.scores[row].item()))[: spec.per_tick]
        kept[key] = [row for row in group if row in best]
    if spec.layout == "packed":
        return dict(enumerate([row for key in sorted(kept) for row in kept[key]][: spec.slots]))
    return {cell * spec.per_tick + place: row for cell, group in kept.items() for place, row in enumerate(group)}


@settings(max_examples=80, deadline=None)
@given(
    ticks=st.lists(st.integers(-5, 120), max_size=40),
    others=st.lists(st.integers(-5, 120), max_size=10),
    form=forms(),
    times=st.lists(st.tuples(st.sampled_from("vwx"), st.integers(-10, 130)), min_size=1, max_size=5),
    rates=st.tuples(st.sampled_from(RATES), st.sampled_from(RATES)),
    step=st.integers(1, 13),
    precision=st.sampled_from(["fp32", "bf16", "int8"]),
)
def test_windows_in_memory_are_those_on_disk_and_the_naive_ones(
    tmp_path_factory, ticks, others, form, times, rates, step, precision
):
    spec = WindowSpec(**form)
    rate, bank_rate = rates
    videos = {"v": rows_of(ticks, 0), "w": rows_of(others, 1)}
    spacing = () if step == 1 else (step, 0)
    made = provenance(precision=precision, ticks_per_second=bank_rate, entries="clips", spacing=spacing)
    folder = tmp_path_factory.mktemp("bank")
    writer = BankWriter(folder, made)
    for name, rows in videos.items():
        writer.write(name, **rows._asdict())
    finish_bank(folder, made, list(videos))
    clock = Clock.parse(rate)
    on_disk = FeatureBank.open(folder, clock=clock)
    in_memory = FeatureBank.from_rows(
        videos,
        channels=4,
        ticks_per_second=bank_rate,
        entries="clips",
        spacing=spacing,
        precision=precision,
        clock=clock,
    )
    keyframes = [Keyframe(*time) for time in times]
    windows = []
    for bank in (on_disk, in_memory):
        windows.append(bank.windows(keyframes, spec, generators_of(keyframes, spec)))
    assert torch.equal(windows[0].features, windows[1].features)
    assert torch.equal(windows[0].mask, windows[1].mask)
    assert precision != "int8" or torch.equal(windows[0].scales, windows[1].scales)
    assert on_disk.keyframes() == in_memory.keyframes()
    assert on_disk.videos == in_memory.videos
    assert (on_disk.manifest.mean, on_disk.manifest.std) == (in_memory.manifest.mean, in_memory.manifest.std)
    for keyframe in [*keyframes, *on_disk.keyframes()]:
        assert all(map(torch.equal, on_disk.rows_at(keyframe), in_memory.rows_at(keyframe)))
    standing = [bank.window_rows(keyframes, spec, generators_of(keyframes, spec)) for bank in (on_disk, in_memory)]
    assert np.array_equal(*standing)
    for index, keyframe in enumerate(keyframes):
        filled = torch.from_numpy(standing[0][index] >= 0)
        assert torch.equal(windows[0].mask[index], filled)
        if filled.any():
            stored = on_disk.read_video(keyframe.video_id).features[standing[0][index][filled.numpy()]]
            assert torch.equal(windows[0].features[index, filled], stored)
    if precision == "fp32" and spec.selection == "top_score":
        for index, keyframe in enumerate(keyframes):
            rows = videos.get(keyframe.video_id, rows_of([], 0))
            expected = naive_window(rows, keyframe.timestamp, spec, Fraction(rate), Fraction(bank_rate), step)
            assert windows[0].mask[index].nonzero()[:, 0].tolist() == sorted(expected)
            for slot, row in expected.items():
                assert torch.equal(windows[0].features[index, slot], rows.features[row])
                assert by_time(rows).index(row) == standing[0][index, slot]


def test_a_keyframe_between_the_ticks_of_a_bank_has_a_window_but_no_rows():
    bank = FeatureBank.from_rows({"v": rows_of(range(20), 0)}, channels=4, clock=Clock.parse(100))
    spec = WindowSpec(before=Fraction(2), after=Fraction(1), slots=4, per_tick=1)
    at_ten, later = bank.windows([Keyframe("v", 1000), Keyframe("v", 1001)], spec).features
    features = bank.read_video("v").decoded
    assert torch.equal(at_ten, features[8:12])
    assert torch.equal(later[:3], features[9:12])  # [8.01, 11.01]
    assert not later[3].any()
    assert len(bank.rows_at(Keyframe("v", 1001))[0]) == 0
    assert torch.equal(bank.rows_at(Keyframe("v", 1000))[2], features[10:11])
    assert bank.keyframes() == [Keyframe("v", 100 * second) for second in range(20)]


def test_keyframes_of_a_coarser_clock_are_those_that_it_has():
    bank = FeatureBank.from_rows({"v": rows_of([11, 23, 24, 48], 0)}, channels=4, ticks_per_second=24, clock=Clock())
    assert bank.keyframes() == [Keyframe("v", 1), Keyframe("v", 2)]


def test_cells_of_a_grid_are_as_long_as_the_spacing():
    """A bank at one entry per second, on a clock of hundredths: AVA's window, slot by slot."""
    rows = rows_of([100 * second + 1 for second in range(100)], 0)
    bank = FeatureBank.from_rows({"v": rows}, channels=4, ticks_per_second=100, spacing=(100, 1))
    window = bank.window(Keyframe("v", 5001), WindowSpec())
    assert window.mask[0].nonzero()[:, 0].tolist() == list(range(0, 300, 5))
    assert torch.equal(window.features[0, ::5], rows.features[20:80])


@pytest.mark.parametrize("dtype", [torch.int16, torch.int32, torch.int64])
def test_ticks_of_any_width_are_compared_with_the_limit_of_a_fine_clock(dtype):
    rows = rows_of([3, 32_000], 0)
    rows = rows._replace(timestamps=rows.timestamps.to(dtype))
    bank = FeatureBank.from_rows({"v": rows}, channels=4, ticks_per_second=1000)
    assert bank.timestamps("v").tolist() == [3, 32_000]
    if dtype == torch.int32:
        lowest = rows._replace(timestamps=torch.tensor([-(2**31), 0], dtype=dtype))  # whose absolute value is itself
        with pytest.raises(InputError, match="video v: second -268435456/125"):
            FeatureBank.from_rows({"v": lowest}, channels=4, ticks_per_second=1000)


def test_rows_that_no_bank_stores_are_refused():
    rows = rows_of([1, 2], 0)
    rows.features[1, 2] = float("nan")
    with pytest.raises(InputError, match=r"video v: the features of second 1/2 are not finite"):
        FeatureBank.from_rows({"v": rows}, channels=4, ticks_per_second=4)
    with pytest.raises(InputError, match=r"ticks_per_second is 'often', expected a number such as 24"):
        FeatureBank.from_rows({}, channels=4, ticks_per_second="often")
    with pytest.raises(InputError, match=r"a bank of 'faces'"):
        FeatureBank.from_rows({}, channels=4, entries="faces")


def test_nothing_in_memory_is_a_bank_too():
    bank = FeatureBank.from_rows({}, channels=4)
    assert not bank.window(Keyframe("v", 900), WindowSpec()).mask.any()
    assert bank.manifest.num_rows == 0
    assert bank.keyframes() == []
