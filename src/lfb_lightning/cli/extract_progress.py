"""Progress of an extraction on a cluster: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter
from types import TracebackType

from rich.progress import BarColumn, Progress, TextColumn

from lfb_lightning.bank.collecting import Plan
from lfb_lightning.lightning.callbacks.extraction_progress import describe

_log = logging.getLogger(__name__)


class RayProgress:
    """Shows videos, clips per second and the time left, of this run.

    Args:
        plan: What there is to do.
        log_seconds: Seconds between two lines where the output is no terminal.
    """

    def __init__(self, plan: Plan, log_seconds: float) -> None:
        self._plan = plan
        self._log_seconds = log_seconds
        self._left = dict(plan.todo)
        self._done: Counter[str] = Counter()
        self._videos = len(plan.video_ids)
        self._started = self._shown = time.monotonic()
        self._bar = Progress(TextColumn("features of videos"), BarColumn(), TextColumn("{task.description}"))
        self._task = self._bar.add_task("", total=max(1, sum(plan.todo.values())))

    def __enter__(self) -> RayProgress:
        self._started = time.monotonic()
        if sys.stdout.isatty():
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if sys.stdout.isatty():
            self._bar.stop()

    def count(self, video_id: str, clips: int) -> None:
        """Count clips of a video whose features have come, and show where the run stands if it is time to.

        Args:
            video_id: The video.
            clips: Their number.
        """
        self._done[video_id] += clips
        if sys.stdout.isatty():
            self._bar.update(self._task, completed=sum(self._done.values()), description=self._line())
        elif time.monotonic() - self._shown >= self._log_seconds:
            self._shown = time.monotonic()
            _log.info("%s", self._line())

    def forget(self, video_id: str) -> None:
        """Count a video that has failed as one that is not to be done.

        Args:
            video_id: The video.
        """
        self._left.pop(video_id, None)
        self._done.pop(video_id, None)

    def _line(self) -> str:
        finished = [name for name, clips in self._left.items() if self._done[name] >= clips]
        return describe(
            videos_done=self._videos - len(self._left) + len(finished),
            videos=self._videos,
            clips_done=sum(self._done.values()),
            clips=sum(self._left.values()),
            seconds=time.monotonic() - self._started,
        )
