"""The callback that turns predicted features into finished bank files, and at the end writes the manifest.

Files are written by a thread of their own: hashing and waiting for the disk take as long as some batches, and need
neither the device nor Python.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
import torch.distributed as dist
from pytorch_lightning import Callback, LightningModule, Trainer

from lfb_lightning.bank import BankWriter, Manifest, finish_bank
from lfb_lightning.bank.claims import left_by_others
from lfb_lightning.errors import InputError
from lfb_lightning.lightning.datamodules.extraction_data import ExtractionDataModule
from lfb_lightning.movable import HostCopy
from lfb_lightning.structures import PersonFeatures, VideoFailure

_log = logging.getLogger(__name__)
_MOST_WAITING = 4  # finished videos in memory that the disk has not taken yet


class BankWriting(Callback):
    """Collects a video's features until its last keyframe, then writes the video.

    Attributes:
        manifest: The finished bank's, after the run; None where another run is still at some of the videos, and on
            other ranks than the first.
        failed: On the first rank, why a video is not in the bank.
    """

    def __init__(self, writer: BankWriter, data: ExtractionDataModule) -> None:
        self.writer = writer
        self.data = data
        self.manifest: Manifest | None = None
        self.failed: dict[str, str] = {}
        self._parts: dict[str, list[HostCopy[PersonFeatures]]] = {}
        self._last: HostCopy[PersonFeatures] | None = None
        self._failed_here: dict[str, str] = {}
        self._done: Counter[str] = Counter()  # key frames of each video
        self._clips = 0
        self._started = 0.0
        self._thread: ThreadPoolExecutor | None = None
        self._waiting: deque[tuple[str, Future[None]]] = deque()

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log what is left to do."""
        self._started = time.monotonic()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bank-writer")
        if trainer.is_global_zero:
            left, total = (
                len(self.data.todo),
                len(self.data.own_video_ids),
            )  # none left: the manifest may still be missing
            _log.info("%s: %d of %d videos to do (%d finished before)", self.writer.folder, left, total, total - left)

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Keep the batch's features, and write its video if it is complete."""
        if isinstance(outputs, VideoFailure):
            self._parts.pop(outputs.video_id, None)
            self._done.pop(outputs.video_id, None)
            self._fail(outputs.video_id, outputs.reason)
            return
        assert isinstance(outputs, PersonFeatures)
        video_id = outputs.keyframes[0].video_id
        part = HostCopy(outputs)
        self._parts.setdefault(video_id, []).append(part)
        if self._last is not None:
            self._last.wait()  # for the batch before: the device has this one to do meanwhile
        self._last = part
        self._clips += len(outputs.keyframes)
        self._done[video_id] += len(outputs.keyframes)
        if self._done[video_id] == self.data.todo[video_id]:
            assert self._thread is not None
            del self._done[video_id]
            self._waiting.append((video_id, self._thread.submit(self._write, video_id, self._parts.pop(video_id))))
            self._take_finished(_MOST_WAITING)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the manifest when every rank is done."""
        self._take_finished(0)
        self._end_thread()
        trainer.strategy.barrier("bank files written")
        failed: dict[str, str] = {}
        for part in _gather(self._failed_here):
            failed |= part
        if trainer.is_global_zero:
            self._finish(failed)
            seconds = max(time.monotonic() - self._started, 1e-9)
            _log.info("%d clips in %.1f s on this rank: %.1f clips/s", self._clips, seconds, self._clips / seconds)
        trainer.strategy.barrier("manifest written")

    def _finish(self, failed: dict[str, str]) -> None:
        unfinished = [name for name in self.data.video_ids if name not in failed and not self.writer.is_finished(name)]
        own = set(self.data.own_video_ids)
        if others := [name for name in unfinished if name not in own]:
            self.failed = failed
            _log.info(
                "%s: %d videos of other shards than %s are not finished (%s); the shard that ends last writes the manifest. "
                "What a shard could not do, the command without shard=... does.",
                self.writer.folder,
                len(others),
                self.data.shard,
                ", ".join(others[:3]),
            )
            return
        taken, given_up = left_by_others(self.writer, unfinished)
        self.failed = failed | dict.fromkeys(given_up, "another run gave it up; that run's log says why")
        if taken:  # every run looks after its last file is written: the last one to look finds all of them
            _log.info(
                "%s: another run is still at %d videos (%s); the manifest is written by the one that ends last. If that "
                "one dies, give this command again.",
                self.writer.folder,
                len(taken),
                ", ".join(taken[:3]),
            )
            return
        self.manifest = finish_bank(self.writer.folder, self.writer.provenance, self.data.video_ids, self.failed)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Write the videos that are complete."""
        self._end_thread()

    def _take_finished(self, most: int) -> None:
        """Raise what writing raised, and wait until at most so many videos are left to be written."""
        while self._waiting and (len(self._waiting) > most or self._waiting[0][1].done()):
            video_id, future = self._waiting.popleft()
            try:
                future.result()
            except InputError as error:  # a full disk, features that are not finite
                if self.data.bank.on_error == "stop":
                    raise
                self._fail(video_id, str(error))

    def _end_thread(self) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=True)
            self._thread = None

    def _fail(self, video_id: str, reason: str) -> None:
        self._failed_here[video_id] = reason
        _log.warning("skipped: %s", reason)

    def _write(self, video_id: str, copies: list[HostCopy[PersonFeatures]]) -> None:
        parts = [copy.wait() for copy in copies]
        timestamps = [
            torch.tensor([keyframe.timestamp for keyframe in part.keyframes])[part.clip_of_roi] for part in parts
        ]
        self.writer.write(
            video_id,
            timestamps=torch.cat(timestamps),
            boxes=torch.cat([part.boxes for part in parts]),
            scores=torch.cat([part.scores for part in parts]),
            features=torch.cat([part.features for part in parts]),
        )


def _gather(value: Any) -> list[Any]:
    if not (dist.is_available() and dist.is_initialized()):
        return [value]
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values
