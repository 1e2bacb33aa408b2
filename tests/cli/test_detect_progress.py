import io

import pytest
from rich.console import Console

from lfb_lightning.cli import detect_progress
from lfb_lightning.cli.detect_progress import DetectionProgress, describe


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((0, 9, 0.0, 9.0, 5.0), "0 of 9 videos, unknown time left"),
        ((2, 9, 2.5, 6.5, 10.0), "2 of 9 videos, 0:00:26 left"),
        ((9, 9, 9.0, 0.0, 60.0), "9 of 9 videos, 0:00:00 left"),
    ],
)
def test_progress_says_what_is_left(values, text):
    assert describe(*values) == text


def test_where_there_is_no_terminal_a_line_is_printed_now_and_then(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(detect_progress.time, "monotonic", lambda: now[0])
    console = Console(file=io.StringIO(), width=80)
    with DetectionProgress(console, done=3, total=5) as progress:
        for second in range(1, 101):
            now[0] = float(second)
            progress.show(second / 100)
        progress.finish_video()
    lines = console.file.getvalue().split("\n")
    assert [line for line in lines if line] == [
        "3 of 5 videos, 0:02:50 left",  # 0.3 of a video in 30 s, 1.7 left
        "3 of 5 videos, 0:02:20 left",
        "3 of 5 videos, 0:01:50 left",
    ]
