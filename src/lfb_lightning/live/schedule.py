"""What is to be done at which second of a live source, in the order in which it can be done."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
from jaxtyping import Float64, Int64

from lfb_lightning.clips import ClipSampling
from lfb_lightning.prediction.moments import Moments


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """Something that can be done once all of its frames have come.

    Args:
        second: The moment that it is about, since the source's first frame.
        tick: The same by the detector's clock; None for a moment at which persons are only looked for.
        scores: Whether the moment is scored; else persons are looked for.
        times: When the frames that it needs are shown, ascending, all different.
    """

    second: float
    tick: int | None
    scores: bool
    times: Float64[np.ndarray, " T"]

    @property
    def last(self) -> float:
        """When the last of its frames is shown."""
        return float(self.times[-1])


class Schedule:
    """Lists the tasks of a source that may never end.

    Args:
        moments: When the detector is asked, and when persons are looked for.
        samplings: Which frames make the clip of each look.
        end: Second before which moments are scored.

    Attributes:
        span: Seconds that the frames of a task lie apart at most.
        tail: Seconds from a moment to the last frame of its clips.
        frames_per_moment: Frames that the tasks from one scored moment up to the next need, where none is shared.
    """

    def __init__(self, moments: Moments, samplings: Sequence[ClipSampling], *, end: float) -> None:
        self._moments = moments
        self._samplings = samplings
        self._end = end
        times = self._clip_times(0.0)
        self.span = float(times[-1] - times[0])
        self.tail = float(times[-1])
        self.frames_per_moment = len(times) + moments.detections

    @property
    def step(self) -> float:
        """Seconds from one scored moment to the next."""
        return float(self._moments.step / self._moments.clock.ticks_per_second)

    @property
    def tasks_per_moment(self) -> int:
        """Tasks from one scored moment up to the next."""
        return self._moments.detections + 1

    def __iter__(self) -> Iterator[Task]:
        """Give the tasks in the order of their last frames; persons are looked for before a moment is scored."""
        waiting: list[tuple[float, bool, int, Task]] = []
        numbers = count()
        for tick in count(0, self._moments.step):
            second = self._moments.clock.seconds_in_video(tick)
            if second >= self._end:
                break
            tasks = [
                Task(second=looked, tick=None if place else tick, scores=False, times=np.array([looked]))
                for place, looked in enumerate(self._moments.seconds_from(tick, self._end))
            ]
            tasks.append(Task(second=second, tick=tick, scores=True, times=self._clip_times(second)))
            for task in tasks:
                heapq.heappush(waiting, (task.last, task.scores, next(numbers), task))
            following = self._moments.clock.seconds_in_video(tick + self._moments.step)
            while waiting and waiting[0][0] <= following:
                yield heapq.heappop(waiting)[-1]
        while waiting:
            yield heapq.heappop(waiting)[-1]

    def frame_places(self, task: Task, look: int) -> Int64[np.ndarray, " t"]:
        """Say where a look's clip lies among the frames of a scoring task."""
        return np.searchsorted(task.times, self._samplings[look].times(task.second))

    def _clip_times(self, second: float) -> Float64[np.ndarray, " T"]:
        # The moment itself belongs to them, so that its persons are known before.
        return np.unique(np.concatenate([[second], *(sampling.times(second) for sampling in self._samplings)]))
