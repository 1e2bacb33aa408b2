"""Turns the features of videos, as they come from a model, into finished bank files, and at the end into a manifest.

Files are written by a thread of their own: hashing and waiting for the disk take as long as some batches, and need
neither the device nor Python.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, runtime_checkable

import torch

from lfb_lightning.bank.claims import ending, left_by_others
from lfb_lightning.bank.manifest import Manifest, finish_bank
from lfb_lightning.bank.packed.place import PackedPlace
from lfb_lightning.bank.shard import Shard
from lfb_lightning.bank.writer import BankWriter
from lfb_lightning.errors import InputError
from lfb_lightning.movable import HostCopy
from lfb_lightning.structures import PersonFeatures

_log = logging.getLogger(__name__)
_MOST_WAITING = 4  # finished videos in memory that the disk has not taken yet


@runtime_checkable
class Plan(Protocol):
    """What there is to do for a bank: `datasets.bank_plan.BankPlan` is one."""

    writer: BankWriter
    shard: Shard
    todo: dict[str, int]

    @property
    def video_ids(self) -> list[str]:
        """List every video that the finished bank is to hold."""
        ...

    @property
    def own_video_ids(self) -> list[str]:
        """List those of them that are this run's."""
        ...


class BankCollecting:
    """Collects a video's features until its last keyframe, then writes the video.

    Args:
        plan: What there is to do.
        on_error: `stop` raises what `skip` notes as a video's failure.

    Attributes:
        failed: Why a video of this process is not in the bank.
    """

    def __init__(self, plan: Plan, *, on_error: str) -> None:
        self.plan = plan
        self.failed: dict[str, str] = {}
        self._on_error = on_error
        self._parts: dict[str, list[HostCopy[PersonFeatures]]] = {}
        self._last: HostCopy[PersonFeatures] | None = None
        self._done: Counter[str] = Counter()  # key frames of each video
        self._clips = 0
        self._started = 0.0
        self._thread: ThreadPoolExecutor | None = None
        self._waiting: deque[tuple[str, Future[None]]] = deque()

    def start(self, *, says: bool) -> None:
        """Start the thread that writes.

        Args:
            says: Whether what is left to do is logged.
        """
        self._started = time.monotonic()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="bank-writer")
        if says:  # none left: the manifest may still be missing
            left, total = len(self.plan.todo), len(self.plan.own_video_ids)
            _log.info(
                "%s: %d of %d videos to do (%d finished before)", self.plan.writer.folder, left, total, total - left
            )

    def add(self, features: PersonFeatures) -> None:
        """Keep the features of a video's next keyframes, and write the video if it is complete.

        Raises:
            InputError: The disk is full, or features are not finite, and errors are to stop the run.
        """
        video_id = features.keyframes[0].video_id
        part = HostCopy(features)
        self._parts.setdefault(video_id, []).append(part)
        if self._last is not None:
            self._last.wait()  # for the batch before: the device has this one to do meanwhile
        self._last = part
        self._clips += len(features.keyframes)
        self._done[video_id] += len(features.keyframes)
        if self._done[video_id] == self.plan.todo[video_id]:
            assert self._thread is not None
            del self._done[video_id]
            self._waiting.append((video_id, self._thread.submit(self._write, video_id, self._parts.pop(video_id))))
            self._take_finished(_MOST_WAITING)

    def fail(self, video_id: str, reason: str) -> None:
        """Note that a video will not be complete, and forget its features."""
        self._parts.pop(video_id, None)
        self._done.pop(video_id, None)
        self.failed[video_id] = reason
        _log.warning("skipped: %s", reason)

    def write_all(self) -> None:
        """Wait until all complete videos are written, and end the thread.

        Raises:
            InputError: As `add` raises it.
        """
        self._take_finished(0)
        self.end()

    def end(self) -> None:
        """Write the videos that are complete, whatever else has failed."""
        if self._thread is not None:
            self._thread.shutdown(wait=True)
            self._thread = None

    def say_speed(self, of: str) -> None:
        """Log how many clips were described per second.

        Args:
            of: Whose clips were counted.
        """
        seconds = max(time.monotonic() - self._started, 1e-9)
        _log.info("%d clips in %.1f s%s: %.1f clips/s", self._clips, seconds, of, self._clips / seconds)

    def _take_finished(self, most: int) -> None:
        """Raise what writing raised, and wait until at most so many videos are left to be written."""
        while self._waiting and (len(self._waiting) > most or self._waiting[0][1].done()):
            video_id, future = self._waiting.popleft()
            try:
                future.result()
            except InputError as error:  # a full disk, features that are not finite
                if self._on_error == "stop":
                    raise
                self.fail(video_id, str(error))

    def _write(self, video_id: str, copies: Sequence[HostCopy[PersonFeatures]]) -> None:
        parts = [copy.wait() for copy in copies]
        timestamps = [
            torch.tensor([keyframe.timestamp for keyframe in part.keyframes])[part.clip_of_roi] for part in parts
        ]
        self.plan.writer.write(
            video_id,
            timestamps=torch.cat(timestamps),
            boxes=torch.cat([part.boxes for part in parts]),
            scores=torch.cat([part.scores for part in parts]),
            features=torch.cat([part.features for part in parts]),
        )


def finish(
    plan: Plan, failed: Mapping[str, str], place: PackedPlace | None = None
) -> tuple[Manifest | None, dict[str, str]]:
    """Write a bank's manifest if nobody is at any of its videos any more.

    Args:
        plan: What there was to do.
        failed: Why this run's videos are not in the bank, those of all its processes.
        place: Where the bank is packed to; None: its folder.

    Returns:
        The manifest, or None where another run is still at some of the videos; and why videos are missing, as far as it is
        known here.

    Raises:
        InputError: Another run has made another bank of the folder meanwhile.
    """
    writer = plan.writer
    place = place or PackedPlace(writer.folder, writer.provenance)
    with ending(writer.folder):
        packed = place.holding(plan.video_ids)
        if packed is not None:
            _log.info("%s: another run has packed this bank meanwhile", place.place)
            return packed, dict(failed)
        writer.refuse_other_bank()
        return _finish(plan, failed)


def _finish(plan: Plan, failed: Mapping[str, str]) -> tuple[Manifest | None, dict[str, str]]:
    writer = plan.writer
    unfinished = [name for name in plan.video_ids if name not in failed and not writer.is_finished(name)]
    own = set(plan.own_video_ids)
    if others := [name for name in unfinished if name not in own]:
        _log.info(
            "%s: %d videos of other shards than %s are not finished (%s); the shard that ends last writes the manifest. "
            "What a shard could not do, the command without shard=... does.",
            *(writer.folder, len(others), plan.shard, _some(others)),
        )
        return None, dict(failed)
    taken, given_up = left_by_others(writer, unfinished)
    reasons = {**failed, **dict.fromkeys(given_up, "another run gave it up; that run's log says why")}
    if taken:  # every run looks after its last file is written: the last one to look finds all of them
        _log.info(
            "%s: another run is still at %d videos (%s); the manifest is written by the one that ends last. If that "
            "one dies, give this command again.",
            *(writer.folder, len(taken), _some(taken)),
        )
        return None, reasons
    return finish_bank(writer.folder, writer.provenance, plan.video_ids, reasons), reasons


def _some(names: Collection[str]) -> str:
    return ", ".join(list(names)[:3])
