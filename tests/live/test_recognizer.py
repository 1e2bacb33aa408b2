"""Live pictures against the prediction of the same file with windows of the past, and what happens when time is short."""

import threading
import time

import numpy as np
import pytest

from lfb_lightning.errors import InputError
from lfb_lightning.live import LiveSettings
from lfb_lightning.models import load_detector
from lfb_lightning.persons import WholeFrame
from lfb_lightning.prediction import LFBPredictor
from lfb_lightning.prediction.causal import causal, note_of_causal
from lfb_lightning.prediction.trained import load_trained
from lfb_lightning.video import VideoFile
from tests.prediction.conftest import BANK, DATA
from tests.prediction.test_predictor import by_hand

CAUSAL = {**BANK, "placement": "causal", "window_before": 3, "window_after": 0, "slots": 21}


def gathered(moments, name):
    return np.concatenate([getattr(moment, name) for moment in moments])


@pytest.mark.parametrize(
    ("detection_rate", "fbo"), [(None, "nl"), pytest.param(6, "nl", marks=pytest.mark.thorough), (6, "identity")]
)
def test_a_file_gives_what_its_prediction_with_windows_of_the_past_gives(
    detection_rate, fbo, checkpoint, video, walkers, live
):
    settings = {"persons": walkers, "batch_size": 1, "detection_rate": detection_rate}
    path, other = checkpoint(fbo, seed=1), checkpoint("none", seed=4)
    expected = LFBPredictor(causal(load_trained(path)), compare=load_trained(other), **settings)(video)
    whole = LFBPredictor(load_trained(path), **settings)(video)
    recognizer = live(video, model=path, predictor={**settings, "compare": other}, speed="max")
    made = list(recognizer)
    assert [moment.second for moment in made] == expected.seconds
    assert [len(moment) for moment in made] == [len(persons) for persons in expected]
    for ours, theirs in (("scores", "scores"), ("without", "without"), ("boxes", "boxes"), ("tracks", "tracks")):
        np.testing.assert_array_equal(gathered(made, ours), getattr(expected, theirs))
    assert [list(moment) for moment in made] == list(expected)
    assert np.abs(expected.scores - whole.scores).max() > 1e-3  # the future matters to this detector
    assert recognizer.summary().left_out == recognizer.summary().dropped == 0
    assert recognizer.summary().persons == 64
    assert recognizer.summary().tracks == 2
    assert made[0].latency is None


def test_windows_of_the_past_are_read_one_by_one_alike(checkpoint, video, walkers):
    path = checkpoint("nl", seed=1)
    detector = load_detector(path)
    made = LFBPredictor(causal(load_trained(path)), persons=walkers)(video)
    assert made.window == (3.0, 0.0)
    expected = by_hand(video, walkers, detector=detector, memory=detector, after=0)
    np.testing.assert_allclose(made.scores, expected, atol=2e-6)


def test_a_detector_of_centered_windows_is_noted(checkpoint):
    assert "from 3 s before to 2.5 s after each moment" in note_of_causal(load_trained(checkpoint("nl", seed=1)))
    assert note_of_causal(load_trained(checkpoint("nl", seed=1, bank=CAUSAL))) is None
    assert note_of_causal(load_trained(checkpoint("none", seed=4))) is None


class Slow(WholeFrame):
    """Takes its time."""

    def __init__(self, seconds):
        self.seconds = seconds

    def find(self, frames, seconds, video_id):
        time.sleep(self.seconds)
        return super().find(frames, seconds, video_id)


def test_in_time_nothing_is_left_out(live, video):
    recognizer = live(video, predictor={"persons": WholeFrame()}, duration=3.0, late=5.0)
    began = time.monotonic()
    made = list(recognizer)
    summary = recognizer.summary()
    assert time.monotonic() - began >= 2.8
    assert [moment.second for moment in made] == [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]
    assert (summary.left_out, summary.dropped, summary.ended) == (0, 0, "its duration is over")
    # A clip of -8, -4, 0 and 4 frames at 25 per second is whole when the frame after 0.16 s has come, 10 per second.
    assert all(moment.latency >= 0.2 for moment in made)
    assert np.median([moment.latency for moment in made]) < 1.5
    assert recognizer.ring.held == 0


def test_what_is_too_late_is_left_out_and_counted(live, video):
    recognizer = live(video, predictor={"persons": Slow(0.8)}, duration=5.0, late=0.5)
    made = list(recognizer)
    summary = recognizer.summary()
    assert len(made) + summary.left_out == 10
    assert 2 <= len(made) <= 7
    assert summary.left_out <= summary.dropped <= 4 * summary.left_out
    assert all(moment.latency < 0.3 + 0.5 + 2.5 * 0.8 for moment in made)
    assert summary.latency[2] == max(moment.latency for moment in made)
    assert recognizer.ring.held == 0
    assert recognizer.ring.most_held <= recognizer.ring.capacity
    assert sorted({moment.second for moment in made}) == [moment.second for moment in made]


def test_the_rings_do_not_grow(live, video):
    recognizer = live(video, speed="max", loop=True, duration=70.0)
    remembered, held = [], []
    for _ in recognizer:
        remembered.append(recognizer.recognition.remembered)
        held.append(recognizer.ring.held)
    assert len(held) == 140
    assert max(remembered) == 7  # the moment itself and 3 s before it, two per second
    assert remembered[6:] == [7] * len(remembered[6:])
    assert max(held) <= recognizer.ring.most_held <= recognizer.ring.capacity
    assert recognizer.ring.capacity < 60
    assert recognizer.summary().frames > 600


def test_a_loop_goes_on_without_a_seam(live, video):
    """The second round has the pictures of the first, and the clips across the seam both ends'."""
    length = VideoFile(video).properties().seconds
    twice = list(live(video, model=None, predictor={"persons": WholeFrame()}, speed="max", loop=True, duration=30.0))
    assert [moment.second for moment in twice] == [tick / 2 for tick in range(60)]
    first, second = 16, 16 + round(2 * length)  # past the seam by more than the window
    np.testing.assert_allclose(twice[first].scores, twice[second].scores, atol=1e-6)


def test_it_stops_when_asked(live, video):
    stop = threading.Event()
    recognizer = live(video, predictor={"persons": WholeFrame()}, loop=True, stop=stop)
    threading.Timer(1.5, stop.set).start()
    began = time.monotonic()
    made = list(recognizer)
    assert time.monotonic() - began < 4
    assert made
    assert recognizer.summary().ended == "asked to stop"


def test_errors_of_the_threads_reach_whoever_iterates(live, tmp_path, video):
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(video.read_bytes()[:3000])
    with pytest.raises(InputError, match=r"cut.mp4: is truncated"):
        list(live(cut, speed="max"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"late": -1.0}, r"live.late is -1.0, expected 0 to 60"),
        ({"late": float("nan")}, r"live.late is nan, expected 0 to 60"),
        ({"timeout": 0.0}, r"live.timeout is 0.0, expected 0.1 to 3600"),
    ],
)
def test_settings_are_checked(settings, message):
    with pytest.raises(InputError, match=message):
        LiveSettings(**settings)


def test_a_network_source_is_neither_looped_nor_slowed_down(live):
    with pytest.raises(InputError, match=r"live.speed=max is for a file or a pipe"):
        live("udp://127.0.0.1:9", speed="max")
    with pytest.raises(InputError, match=r"live.loop=true is for a file"):
        live("udp://127.0.0.1:9", loop=True)


def test_clips_that_no_ring_can_hold_are_refused(live, checkpoint):
    with pytest.raises(InputError, match=r"its clips.* are 1200 s long, expected at most 60 s"):
        live("-", model=checkpoint("none", data={**DATA, "frame_stride": 10_000}))
