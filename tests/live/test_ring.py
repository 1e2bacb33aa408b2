"""The ring against `stream_from_frames`, which cuts the clips of a file; what is late; where frames are missing."""

import threading
import time

import numpy as np
import pytest

from lfb_lightning.clips import ClipSampling
from lfb_lightning.clock import Clock
from lfb_lightning.live.latencies import Latencies
from lfb_lightning.live.ring import ClipRing
from lfb_lightning.live.schedule import Schedule
from lfb_lightning.live.wall import WallClock
from lfb_lightning.prediction.moments import Moments
from lfb_lightning.video.live_frames import LiveFrame
from lfb_lightning.video.rolling import stream_from_frames

SAMPLINGS = [ClipSampling(4, 16, 30.0), ClipSampling(8, 2, 25.0)]


def schedule(*, detections=1, end=1e6, samplings=SAMPLINGS, ticks_per_second=1):
    return Schedule(Moments(Clock.parse(ticks_per_second), 1, detections), samplings, end=end)


def frame(number, rate=10.0, *, follows=True, arrival=None):
    picture = np.full((2, 2, 3), number % 256, np.uint8)
    second = number / rate
    return LiveFrame(second, second + 1 / rate, second if arrival is None else arrival, follows, lambda: picture)


def taken(ring):
    while (ready := ring.take()) is not None:
        yield ready
        ring.done(ready)


@pytest.mark.parametrize(("rate", "ticks_per_second"), [(10.0, 1), (30.0, 2), (1.0, 4), (7.3, 1)])
def test_frames_are_those_that_a_file_gives(rate, ticks_per_second):
    """200 frames; every task of every whole moment, with the frames that a pass over a file gives for the same times."""
    plan = schedule(detections=3, ticks_per_second=ticks_per_second)
    ring = ClipRing(plan, late=None, stop=threading.Event())
    ended = 200 / rate

    def read():
        for number in range(200):
            ring.add(frame(number, rate))
        ring.finish()

    threading.Thread(target=read).start()
    got = [(ready.task, [int(picture[0, 0, 0]) for picture in ready.frames]) for ready in taken(ring)]
    assert sum(task.scores for task, _ in got) == np.ceil(ended * ticks_per_second)
    assert [task.second for task, _ in got if not task.scores] == sorted(
        tick / ticks_per_second + part / (3 * ticks_per_second)
        for tick in range(int(np.ceil(ended * ticks_per_second)))
        for part in range(3)
        if tick / ticks_per_second + part / (3 * ticks_per_second) < ended
    )
    for task, numbers in got:
        frames = ((number / rate, number) for number in range(200))
        (expected,) = stream_from_frames(frames, task.times[None], lambda one: np.full((1, 1, 3), one, np.uint8), "v")
        assert numbers == expected[:, 0, 0, 0].tolist()
    for task, _ in got:
        if task.scores:
            for look, sampling in enumerate(SAMPLINGS):
                np.testing.assert_array_equal(task.times[plan.frame_places(task, look)], sampling.times(task.second))
    assert ring.held == 0
    assert ring.most_held <= ring.capacity
    assert (ring.left_out, ring.dropped) == (0, 0)


def test_persons_are_looked_for_before_a_moment_is_scored_even_where_its_clip_is_past():
    past = schedule(samplings=[ClipSampling(1, 16, 30.0)], end=5.0)
    assert [(task.second, task.scores) for task in past] == [(s, kind) for s in range(5) for kind in (False, True)]


def test_nobody_takes_and_the_ring_stays_small():
    plan = schedule(detections=5)
    ring = ClipRing(plan, late=2.0, stop=threading.Event())
    begin = time.monotonic() - 1000.0
    for number in range(3000):
        ring.add(frame(number, arrival=begin + number / 10))
        assert ring.held <= ring.capacity
    assert ring.most_held < 60
    assert ring.left_out >= 295
    assert ring.dropped > 4 * 295
    ring.finish()
    rest = list(taken(ring))
    assert {ready.task.second for ready in rest if ready.task.scores} <= {297.0, 298.0, 299.0}
    assert ring.held == 0


def test_moments_whose_frames_are_missing_are_left_out():
    ring = ClipRing(schedule(samplings=SAMPLINGS[:1], end=20.0), late=60.0, stop=threading.Event())
    now = time.monotonic()
    for number in [*range(51), *range(100, 251)]:  # nothing between 5.1 and 10 seconds
        ring.add(frame(number, follows=number != 100, arrival=now + number / 10))
    ring.finish()
    scored = [ready.task.second for ready in taken(ring) if ready.task.scores]
    # 4.0 needs 2.93 .. 4.53, 5.0 frames up to 5.53; 11.0 from 9.93 on, which is missing; 12.0 from 10.93.
    assert scored == [0, 1, 2, 3, 4, *range(12, 20)]
    assert ring.left_out == 7
    assert ring.held == 0


def test_a_moment_whose_persons_were_found_is_scored_however_late():
    ring = ClipRing(schedule(samplings=SAMPLINGS[:1]), late=0.1, stop=threading.Event())
    begin = time.monotonic()
    for number in range(4):
        ring.add(frame(number, arrival=begin + number / 10))
    first = ring.take()
    assert not first.task.scores
    for number in range(4, 40):
        ring.add(frame(number, arrival=begin + number / 10))
    time.sleep(0.3)
    ring.done(first)
    second = ring.take()
    assert (second.task.second, second.task.scores) == (0.0, True)


def test_the_wall_clock_is_that_of_the_frames_with_least_delay():
    wall = WallClock()
    for second, delay in ((0.0, 3.0), (1.0, 0.5), (2.0, 0.9)):
        wall.see(second, 100.0 + second + delay)
    assert wall.at(10.0) == 110.5
    for second in range(3, 1000):  # the source's clock is slower by 1 %
        wall.see(float(second), 100.0 + 1.01 * second + 0.5)
    assert 1110.5 - 6.1 < wall.at(1000.0) <= 1110.5  # what is remembered is ten minutes old at most


def test_quantiles_are_right_to_a_percent():
    values = np.random.default_rng(0).lognormal(-0.5, 0.7, 5000)
    counts = Latencies()
    for value in values:
        counts.add(float(value))
    for part in (0.5, 0.95, 0.99):
        exact = np.quantile(values, part, method="inverted_cdf")
        assert exact <= counts.quantile(part) <= 1.011 * exact
    assert counts.most == values.max()
    assert Latencies().quantile(0.5) == 0
