"""Streams over loopback, fed at real speed: a network's pictures have the file's scores, and losses are told."""

import time

import numpy as np
import pytest

from lfb_lightning.persons import WholeFrame
from lfb_lightning.prediction import LFBPredictor
from lfb_lightning.prediction.causal import causal
from lfb_lightning.prediction.trained import load_trained
from lfb_lightning.video.live_frames import LiveFrames, _SourceClock
from lfb_lightning.video.live_source import LiveSource


@pytest.mark.slow
def test_a_stream_at_real_speed_is_scored_in_time_and_as_its_file(live, video, checkpoint, feeder, free_port):
    feeder(video, f"tcp://127.0.0.1:{free_port}?listen=1")
    time.sleep(3)
    lines = []
    recognizer = live(
        f"tcp://127.0.0.1:{free_port}",
        predictor={"persons": WholeFrame()},
        duration=12.0,
        late=3.0,
        reconnects=0,
        report=lines.append,
    )
    made = list(recognizer)
    summary = recognizer.summary()
    expected = LFBPredictor(causal(load_trained(checkpoint("nl", seed=1))), persons=WholeFrame())(video)
    assert summary.left_out + len(made) == 24
    assert len(made) >= 20
    assert summary.damaged == summary.reconnected == 0
    late = [moment for moment in made if moment.second >= 3]
    assert all(moment.latency > 0.2 for moment in late)
    assert np.median([moment.latency for moment in late]) <= 1.5
    assert lines == []
    if summary.left_out == 0:  # else rows are missing in the memory
        for moment in made:
            np.testing.assert_allclose(moment.scores[0], expected.scores[round(2 * moment.second)], atol=1e-5)


def test_a_lost_connection_is_tried_again_and_then_given_up(live, video, feeder, free_port):
    first = feeder(video, f"tcp://127.0.0.1:{free_port}?listen=1", "--speed", "8")
    time.sleep(3)
    lines, made = [], []
    recognizer = live(
        f"tcp://127.0.0.1:{free_port}",
        predictor={"persons": WholeFrame()},
        report=lines.append,
        reconnects=1,
        timeout=5.0,
    )
    for moment in recognizer:
        made.append(moment)
    assert first.wait() == 0
    assert len(lines) == 1
    assert f"source tcp://127.0.0.1:{free_port}: has ended. Try 1 of 1 to connect again follows in 1 s." == lines[0]
    summary = recognizer.summary()
    assert "Connection refused" in summary.ended
    assert summary.reconnected == 1
    assert summary.frames == 200
    assert made


class Broken(LiveFrames):
    """Connections that give frames at 10 per second, from time stamps that mean something else each time."""

    def __init__(self, connections, **settings):
        super().__init__(LiveSource.parse("udp://127.0.0.1:9"), **settings)
        self.connections = iter(connections)

    def _of_connection(self, clock):
        for stamp in next(self.connections, ()):
            if (placed := clock.place(stamp, 0.1)) is not None:
                yield placed


def test_time_goes_on_over_connections_and_leaps():
    frames = Broken([[7.0, 7.1, 7.2], [900.0, 900.1]], reconnects=1)
    seconds = list(frames._of_connections())
    before, after = seconds[:3], seconds[3:]
    np.testing.assert_allclose([second for second, _ in before], [0.0, 0.1, 0.2])
    assert [follows for _, follows in seconds] == [True, True, True, False, True]
    assert 0.2 + 0.9 < after[0][0] < 0.2 + 3  # the pause before the second try
    np.testing.assert_allclose(after[1][0] - after[0][0], 0.1)
    assert frames.reconnected == 2  # the third connection gives nothing


@pytest.mark.parametrize(
    ("stamps", "seconds", "follows"),
    [
        ([5.0, 5.1, 5.1, 5.2], [0, 0.1, 0.2], [True] * 3),  # twice the same
        ([5.0, 5.1, 95443.7, 95443.8], [0, 0.1, 0.2, 0.3], [True, True, False, True]),
        (
            [95443.6, 95443.7, 0.0, 0.1],
            [0, 0.1, 0.2, 0.3],
            [True, True, False, True],
        ),  # 33 bits of 1 / 90000 s are full
        ([None, None, None], [0, 0.1, 0.2], [True] * 3),
        ([5.0, None, 5.2], [0, 0.1, 0.2], [True] * 3),
    ],
)
def test_time_stamps(stamps, seconds, follows):
    clock = _SourceClock()
    placed = [one for stamp in stamps if (one := clock.place(stamp, 0.1)) is not None]
    np.testing.assert_allclose([second for second, _ in placed], seconds, atol=5e-3)
    assert [one for _, one in placed] == follows
