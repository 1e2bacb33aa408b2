"""The ring of frames: it keeps of a live source what the next tasks need, and gives out the tasks whose frames are there."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from threading import Condition, Event

import numpy as np
from jaxtyping import UInt8

from lfb_lightning.live.schedule import Schedule, Task
from lfb_lightning.live.wall import WallClock
from lfb_lightning.video.live_frames import LiveFrame

_MOST_WAITING = 4  # tasks that wait where nothing is left out
_LOOK_SECONDS = 0.2
_PATIENCE_BETWEEN = 0.25  # of what a moment may wait, for looking for persons between moments: it is left out first


@dataclass(slots=True, eq=False)
class _Kept:
    """A picture, how many tasks hold it, and whether one of them was done."""

    picture: UInt8[np.ndarray, "H W 3"]
    holders: int = 0
    used: bool = False


@dataclass(slots=True, eq=False)
class ReadyTask:
    """A task with its frames.

    Args:
        task: The task.
        kept: The frame of each of its times, so far.
        due: When it could be done, in seconds by `time.monotonic`.
    """

    task: Task
    kept: list[_Kept] = field(default_factory=list)
    due: float = 0.0

    @property
    def frames(self) -> list[UInt8[np.ndarray, "H W 3"]]:
        """The pictures at the task's times."""
        return [one.picture for one in self.kept]


class ClipRing:
    """Assigns the frames of a source to tasks, the nearest one to each time, as `Video.stream` does for a file.

    One thread adds frames, another takes tasks. It never holds more than `capacity` pictures.

    Args:
        schedule: The tasks.
        late: Seconds that a task may wait after its last frame has come; None: as long as it takes, and whoever adds frames
            waits too.
        stop: Ends all waiting when it is set.

    Attributes:
        lossless: Whether nothing is left out.
        wall: When each second was there.
        most_moments: Scored moments that are waited for, wait or are being scored at once, at most.
        capacity: Pictures that are held at most.
        held: Pictures that are held now.
        most_held: The most that were held at once.
        left_out: Moments that were not scored since they were late, or since frames of theirs were missing.
        dropped: Frames that were kept for moments that were left out.
    """

    def __init__(self, schedule: Schedule, *, late: float | None, stop: Event) -> None:
        self.lossless = late is None
        self.wall = WallClock()
        self.held = self.most_held = self.left_out = self.dropped = 0
        self._late = late
        self._stop = stop
        self._span = schedule.span
        self._coming: Iterator[Task] = iter(schedule)
        self._next: Task | None = next(self._coming, None)
        self._open: deque[ReadyTask] = deque()
        self._ready: deque[ReadyTask] = deque()
        self._without_persons: set[int | None] = set()
        self._looked_at: set[int | None] = (
            set()
        )  # ticks whose persons have been looked for, and that are not scored yet
        self._previous: LiveFrame | None = None
        self._finished = False
        self._failure: Exception | None = None
        self._changed = Condition()
        coming = math.ceil(schedule.span / schedule.step) + 1  # moments whose frames may be coming at once
        waiting = _MOST_WAITING if late is None else math.ceil(late / schedule.step) + 2
        self._most_ready = waiting * (1 if late is None else schedule.tasks_per_moment)
        self.most_moments = 2 * coming + waiting + 1
        self.capacity = schedule.frames_per_moment * self.most_moments

    def add(self, frame: LiveFrame) -> bool:
        """Add the next frame; of two tasks that need the same one, both hold the same picture.

        Args:
            frame: Later than the one before.

        Returns:
            Whether more are wanted.
        """
        with self._changed:
            while self._late is None and len(self._ready) >= self._most_ready and not self._stop.is_set():
                self._changed.wait(_LOOK_SECONDS)
            self.wall.see(frame.second, frame.arrival)
            if (previous := self._previous) is not None:
                due = self.wall.at(frame.second)
                if frame.follows:
                    self._assign(previous, (previous.second + frame.second) / 2, due)
                else:
                    self._assign(previous, previous.end, due)
                    self._miss(frame.second)
            self._previous = frame
            self._leave_out()
            self._changed.notify_all()
            return not self._stop.is_set() and (self._next is not None or bool(self._open))

    def finish(self, failure: Exception | None = None) -> None:
        """Say that no frame follows: the last one stands in for later ones, as at the end of a file.

        Args:
            failure: What ended the source; it is raised where tasks are taken, after those that are ready.
        """
        with self._changed:
            if (last := self._previous) is not None:
                self._open_tasks(last.end)
                for one in list(self._open):
                    if one.task.second >= last.end and one.task.second > 0:
                        self._open.remove(one)
                        self._release(one)
                self._next = None
                self._assign(last, math.inf, time.monotonic())
            self._finished, self._failure = True, failure
            self._changed.notify_all()

    def take(self) -> ReadyTask | None:
        """Wait for the next task; None when there will be none, or when it is to stop.

        Raises:
            Exception: What `finish` was told.
        """
        with self._changed:
            while not self._stop.is_set():
                self._leave_out()
                if self._ready:
                    self._changed.notify_all()
                    return self._taken(self._ready.popleft())
                if self._finished:
                    if self._failure is not None:
                        raise self._failure
                    return None
                self._changed.wait(_LOOK_SECONDS)
            return None

    def done(self, ready: ReadyTask) -> None:
        """Give a task's frames back."""
        with self._changed:
            for one in ready.kept:
                one.used = True
            self._release(ready)

    def _taken(self, one: ReadyTask) -> ReadyTask:
        if one.task.scores:
            self._looked_at.discard(one.task.tick)
        elif one.task.tick is not None:
            self._looked_at.add(one.task.tick)
        return one

    def _assign(self, frame: LiveFrame, until: float, due: float) -> None:
        """Give a frame to all times up to one; tasks that are complete with it could be done at `due`."""
        self._open_tasks(until)
        kept: _Kept | None = None
        for one in self._open:
            times = one.task.times
            while len(one.kept) < len(times) and times[len(one.kept)] <= until:
                if kept is None:
                    kept = _Kept(frame.picture())
                    self.held += 1
                    self.most_held = max(self.most_held, self.held)
                kept.holders += 1
                one.kept.append(kept)
        while self._open and len(self._open[0].kept) == len(self._open[0].task.times):
            self._open[0].due = due
            self._ready.append(self._open.popleft())

    def _open_tasks(self, until: float) -> None:
        while self._next is not None and self._next.last - self._span <= until:
            self._open.append(ReadyTask(self._next))
            self._next = next(self._coming, None)

    def _miss(self, second: float) -> None:
        """Leave out the tasks that need frames between the last one and a second."""
        self._open_tasks(second)
        for one in list(self._open):
            if one.task.times[len(one.kept)] < second:
                self._open.remove(one)
                self._give_up(one)

    def _leave_out(self) -> None:
        """Leave out what has waited for too long, but for moments whose persons have been looked for: that was the work."""
        if self._late is None:
            return
        now = time.monotonic()
        for one in list(self._ready):
            if one.task.scores and one.task.tick in self._looked_at:
                continue
            few = self._finished or len(self._ready) <= self._most_ready
            in_vain = one.task.scores and one.task.tick in self._without_persons
            patience = self._late * (_PATIENCE_BETWEEN if one.task.tick is None else 1)
            if few and now <= one.due + patience and not in_vain:
                return
            self._ready.remove(one)
            self._give_up(one)

    def _give_up(self, one: ReadyTask) -> None:
        if one.task.tick is not None:
            if one.task.scores:
                self._without_persons.discard(one.task.tick)
                self._looked_at.discard(one.task.tick)
                self.left_out += 1
            else:
                self._without_persons.add(one.task.tick)
        self.dropped += self._release(one)

    def _release(self, one: ReadyTask) -> int:
        """Let a task's pictures go, and count those that nobody has used and nobody holds any more."""
        unused = 0
        for kept in one.kept:
            kept.holders -= 1
            if kept.holders == 0:
                self.held -= 1
                unused += not kept.used
        one.kept = []
        return unused
