"""Progress of `lfb-detect`: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import time
from datetime import timedelta
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

_LOG_SECONDS = 30.0


class DetectionProgress:
    """Shows how many videos are done, with the share of those in hand, and the time left.

    Args:
        console: Where it is shown.
        done: Videos that were done before.
        total: All videos.
        of: What is made of them.
    """

    def __init__(self, console: Console, *, done: int, total: int, of: str = "persons") -> None:
        self._console = console
        self._before, self._total = done, total
        self._done, self._in_hand = done, 0.0
        self._begun = self._shown = time.monotonic()
        columns = (TextColumn(f"{of} of videos"), BarColumn(), TextColumn("{task.description}"))
        self._bar = Progress(*columns, console=console)
        self._task = self._bar.add_task("", total=max(1, total), completed=done)

    def __enter__(self) -> DetectionProgress:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._bar.stop()

    def show(self, in_hand: float) -> None:
        """Show how far the videos in hand are: the sum of their finished shares."""
        self._in_hand = in_hand
        now = time.monotonic()
        made = self._done - self._before + in_hand
        text = describe(self._done, self._total, made, self._total - self._before - made, now - self._begun)
        if self._console.is_terminal:
            self._bar.update(self._task, completed=self._done + in_hand, description=text)
        elif now - self._shown >= _LOG_SECONDS:
            self._shown = now
            self._console.print(text, highlight=False)

    def finish_video(self) -> None:
        """Count a video that is done, or has failed."""
        self._done += 1
        self.show(0.0)


def describe(done: int, total: int, made: float, left: float, seconds: float) -> str:
    """Describe progress in one line: `12 of 299 videos, 2:59:10 left`.

    Args:
        done: Videos that are done.
        total: All videos.
        made: Videos that this run has made in these seconds, with shares of those in hand.
        left: Videos that are left, likewise.
        seconds: Seconds that the run has taken.
    """
    time_left = str(timedelta(seconds=round(left / made * seconds))) if made > 0 else "unknown time"
    return f"{done} of {total} videos, {time_left} left"
