"""Ticks and seconds are exact in both directions; what is no tick is refused in one line."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lfb_lightning.clock import SECOND_LIMIT, SECONDS, Clock, exact
from lfb_lightning.errors import InputError

RATES = ["1", "29.97003", "4", "24", "30", "60", "100", "1000", "30000/1001", "25/2", "1/2"]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("30000/1001", Fraction(30000, 1001)),
        (1, Fraction(1)),
        (24.0, Fraction(24)),
        (0.75, Fraction(3, 4)),
        (0.1, Fraction(1, 10)),
        (" 17.010000 ", Fraction(1701, 100)),
        ("-2.5e2", Fraction(-250)),
        (Fraction(3, 4), Fraction(3, 4)),
    ],
)
def test_numbers_are_read_exactly(value, number):
    assert exact(value) == number


@pytest.mark.parametrize("value", ["", "x", "1/0", "nan", float("inf"), True, "1e9999", "1_0", "9" * 99, "1//2"])
def test_what_is_no_number_is_named(value):
    with pytest.raises(InputError, match=r"^data\.ticks_per_second is .*, expected a number such as"):
        Clock.parse(value)


@pytest.mark.parametrize("value", [0, -1, 100_001, "1e99"])
def test_clocks_that_nothing_runs_by_are_refused(value):
    with pytest.raises(InputError, match="expected more than 0 and at most 100000"):
        Clock.parse(value)


def test_three_ticks_of_four_are_three_quarters_of_a_second():
    clock = Clock.parse(4, origin=0.5)
    assert clock.tick(0.75) == clock.tick("3/4") == 3
    assert clock.seconds(3) == Fraction(3, 4)
    assert clock.seconds_in_video(3) == 0.25


def test_seconds_in_a_video_count_from_its_origin():
    assert Clock.parse(1, origin=900.0).seconds_in_video(902) == 2.0
    assert Clock.parse("30000/1001").seconds_in_video(1) == 1001 / 30000


@given(rate=st.sampled_from(RATES), tick=st.integers(-10_000_000, 10_000_000))
def test_every_tick_is_read_back_from_its_text_and_from_its_float(rate, tick):
    clock = Clock.parse(rate)
    if abs(tick) < clock.tick_limit:
        assert clock.tick(clock.text(tick)) == tick
        assert clock.tick(clock.seconds(tick)) == tick
        assert clock.tick(float(clock.seconds(tick))) == tick
        ticks, on = clock.ticks(np.array([float(clock.text(tick)), float(clock.seconds(tick))]))
        assert ticks.tolist() == [tick, tick]
        assert on.all()


@given(rate=st.sampled_from(RATES[1:]), tick=st.integers(0, 10_000), off=st.sampled_from([-0.25, 0.25, 0.1]))
def test_what_lies_between_ticks_has_none(rate, tick, off):
    clock = Clock.parse(rate)
    second = (tick + off) / float(Fraction(rate))
    ticks, on = clock.ticks(np.array([second]))
    assert not on.any()
    assert ticks.tolist() == [0]
    with pytest.raises(ValueError, match=r"expected a multiple of .* s; the nearest is"):
        clock.tick(second)


def test_texts_of_seconds():
    assert [SECONDS.text(tick) for tick in (2, 902, 12345, -7)] == ["0002", "0902", "12345", "-007"]
    assert [Clock.parse(100).text(tick) for tick in (1701, 0, -50)] == ["17.010000", "0.000000", "-0.500000"]
    assert Clock.parse("30000/1001").text(1) == "0.033367"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), SECOND_LIMIT, -SECOND_LIMIT])
@pytest.mark.parametrize("rate", RATES)
def test_seconds_out_of_bounds_have_no_tick(rate, value):
    clock = Clock.parse(rate)
    assert not clock.ticks(np.array([float(value)]))[1].any()
    with pytest.raises(ValueError, match=r"expected a (second of a video|number of seconds)"):
        clock.tick(value)


def test_ticks_fit_a_bank_row():
    clock = Clock.parse(1000)
    assert clock.tick(2147483.647) == 2**31 - 1
    with pytest.raises(ValueError, match="less than 2,147,483,648 ticks of 1000 per second"):
        clock.tick(2147483.648)
