"""The progress line says what is done and how long the rest takes."""

import pytest

from lfb_lightning.lightning.callbacks.extraction_progress import describe


@pytest.mark.parametrize(
    ("done", "seconds", "expected"),
    [
        (250, 10.0, "3 of 40 videos, 25.0 clips/s, 0:00:30 left"),
        (1, 60.0, "3 of 40 videos, 0.0 clips/s, 16:39:00 left"),
        (0, 5.0, "3 of 40 videos, 0.0 clips/s, unknown time left"),
        (1000, 0.0, "3 of 40 videos, 0.0 clips/s, unknown time left"),
    ],
)
def test_rate_and_time_left_by_hand(done, seconds, expected):
    assert describe(videos_done=3, videos=40, clips_done=done, clips=1000, seconds=seconds) == expected
