"""Progress of an extraction: videos, clips per second and time left, over all processes that fill the folder."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import Any

from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import ProgressBar
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from lfb_lightning.lightning.datamodules.extraction_data import ExtractionDataModule
from lfb_lightning.structures import PersonFeatures, VideoFailure

_log = logging.getLogger(__name__)
_TERMINAL_SECONDS = 1.0


class ExtractionProgress(ProgressBar):
    """Shows a bar on a terminal, and elsewhere logs a line every `log_seconds`; a video counts when its file is there."""

    def __init__(self, *, log_seconds: float = 30.0) -> None:
        super().__init__()
        self.log_seconds = log_seconds
        self._console = Console(stderr=True)
        self._bar: Progress | None = None
        self._unfinished: dict[str, int] = {}
        self._in_hand: dict[str, int] = {}
        self._started = self._shown = 0.0

    def disable(self) -> None:
        """Show nothing; Lightning calls this on every rank but the first, which shows for all."""

    def enable(self) -> None:
        """Show progress again; see `disable`."""

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count what is done and what is left."""
        if not trainer.is_global_zero:
            return
        self._unfinished = dict(_data(trainer).todo)
        self._started = self._shown = time.monotonic()
        if self._console.is_terminal:
            self._bar = Progress(BarColumn(), TextColumn("{task.description}"), console=self._console)
            self._bar.start()
            self._bar.add_task("", total=max(1, sum(self._unfinished.values())))

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Count the batch, and show where the run stands if it is time to."""
        if not trainer.is_global_zero:
            return
        if isinstance(outputs, VideoFailure):
            self._unfinished.pop(outputs.video_id, None)
            self._in_hand.pop(outputs.video_id, None)
        elif isinstance(outputs, PersonFeatures):
            video_id = outputs.keyframes[0].video_id
            self._in_hand[video_id] = self._in_hand.get(video_id, 0) + len(outputs.keyframes)
        now = time.monotonic()
        if now - self._shown >= (_TERMINAL_SECONDS if self._bar is not None else self.log_seconds):
            self._shown = now
            self._show(_data(trainer), now)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take the bar away."""
        self._stop()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Take the bar away."""
        self._stop()

    def _show(self, data: ExtractionDataModule, now: float) -> None:
        for video_id in [name for name in self._unfinished if data.writer.path(name).is_file()]:
            del self._unfinished[video_id]
            self._in_hand.pop(video_id, None)
        total = sum(data.todo.values())
        left = sum(self._unfinished.values()) - sum(self._in_hand.values())
        text = describe(
            videos_done=len(data.video_ids) - len(self._unfinished),
            videos=len(data.video_ids),
            clips_done=total - left,
            clips=total,
            seconds=now - self._started,
        )
        if self._bar is None:
            _log.info("%s", text)
        else:
            self._bar.update(self._bar.task_ids[0], completed=total - left, description=text)

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def describe(*, videos_done: int, videos: int, clips_done: int, clips: int, seconds: float) -> str:
    """Describe progress in one line: `12 of 299 videos, 23.4 clips/s, 2:59:10 left`."""
    rate = clips_done / seconds if seconds > 0 else 0.0
    left = str(timedelta(seconds=round((clips - clips_done) / rate))) if rate > 0 else "unknown time"
    return f"{videos_done} of {videos} videos, {rate:.1f} clips/s, {left} left"


def _data(trainer: Trainer) -> ExtractionDataModule:
    data = trainer.datamodule  # type: ignore[attr-defined]
    assert isinstance(data, ExtractionDataModule)
    return data
