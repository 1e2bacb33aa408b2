"""Progress of an extraction in the log: videos, clips per second and time left, over all processes that fill the folder."""

from __future__ import annotations

import logging
import sys
import time
from datetime import timedelta
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer

from lfb_lightning.datasets.bank_plan import BankPlan
from lfb_lightning.structures import PersonFeatures, VideoFailure

_log = logging.getLogger(__name__)


class ExtractionProgress(Callback):
    """Logs a line every `log_seconds` where the output is no terminal; on one, Lightning's progress bar says as much.

    A video counts as done when its file is there, whichever process wrote it.

    Args:
        data: Knows the videos, the clips that are left of each, and where their files will be.
        log_seconds: Seconds between two lines.
    """

    def __init__(self, *, data: BankPlan, log_seconds: float = 30.0) -> None:
        self.data = data
        self.log_seconds = log_seconds
        self._unfinished: dict[str, int] = {}
        self._in_hand: dict[str, int] = {}
        self._started = self._shown = 0.0

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count what is left to do."""
        self._unfinished = dict(self.data.todo)
        self._started = self._shown = time.monotonic()

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Count the batch, and log where the run stands if it is time to."""
        if isinstance(outputs, VideoFailure):
            self._forget(outputs.video_id)
        elif isinstance(outputs, PersonFeatures):
            video_id = outputs.keyframes[0].video_id
            self._in_hand[video_id] = self._in_hand.get(video_id, 0) + len(outputs.keyframes)
        now = time.monotonic()
        if trainer.is_global_zero and now - self._shown >= self.log_seconds and not sys.stdout.isatty():
            self._shown = now
            _log.info("%s", self._line(now - self._started))

    def _line(self, seconds: float) -> str:
        for video_id in [name for name in self._unfinished if self.data.writer.path(name).is_file()]:
            self._forget(video_id)
        clips, videos = sum(self.data.todo.values()), len(self.data.video_ids)
        left = sum(self._unfinished.values()) - sum(self._in_hand.values())
        return describe(
            videos_done=videos - len(self._unfinished),
            videos=videos,
            clips_done=clips - left,
            clips=clips,
            seconds=seconds,
        )

    def _forget(self, video_id: str) -> None:
        self._unfinished.pop(video_id, None)
        self._in_hand.pop(video_id, None)


def describe(*, videos_done: int, videos: int, clips_done: int, clips: int, seconds: float) -> str:
    """Describe progress in one line: `12 of 299 videos, 23.4 clips/s, 2:59:10 left`."""
    rate = clips_done / seconds if seconds > 0 else 0.0
    left = str(timedelta(seconds=round((clips - clips_done) / rate))) if rate > 0 else "unknown time"
    return f"{videos_done} of {videos} videos, {rate:.1f} clips/s, {left} left"
