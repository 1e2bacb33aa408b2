"""Looks at the moments of a live source, one after another, with a ring of bank rows as memory."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor

from lfb_lightning.live.ring import ClipRing, ReadyTask
from lfb_lightning.live.schedule import Schedule
from lfb_lightning.persons import PersonSource
from lfb_lightning.prediction import LFBPredictor
from lfb_lightning.prediction.observed import Glimpses, Observed
from lfb_lightning.prediction.prediction import Person, named_scores
from lfb_lightning.prediction.tracks import Linker
from lfb_lightning.structures import Proposals


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveMoment:
    """What N persons do at one moment.

    Args:
        second: The moment, since the source's first frame.
        wall: When it was there, in seconds since 1970; None where the source was read as fast as it could be.
        latency: Seconds from then until it was scored; likewise.
        computed: Seconds that persons, features and scores took.
        boxes: Normalized xyxy.
        confidences: The person detector's.
        tracks: Track ids.
        scores: By column.
        without: Scores of the detector that it is compared with, by column.
        actions: Names by score column.
    """

    second: float
    wall: float | None
    latency: float | None
    computed: float
    boxes: Float64[np.ndarray, "N 4"]
    confidences: Float64[np.ndarray, " N"]
    tracks: Int64[np.ndarray, " N"]
    scores: Float32[np.ndarray, "N A"]
    without: Float32[np.ndarray, "N A"] | None
    actions: Mapping[int, str]

    def __len__(self) -> int:
        return len(self.tracks)

    def __iter__(self) -> Iterator[Person]:
        for row in range(len(self)):
            yield Person(
                second=self.second,
                track=int(self.tracks[row]),
                box=tuple(self.boxes[row].tolist()),
                confidence=float(self.confidences[row]),
                actions=named_scores(self.scores[row], self.actions),
                without=None if self.without is None else named_scores(self.without[row], self.actions),
            )


@dataclass(frozen=True, slots=True)
class Seen:
    """Who was seen at a moment.

    Args:
        persons: The persons.
        tracks: Their tracks.
        spent: Seconds that it took to find and link them.
    """

    persons: Proposals
    tracks: Int64[np.ndarray, " P"]
    spent: float


class Recognition:
    """Does the tasks of a ring in their order.

    Args:
        predictor: What scores, and what links persons.
        persons: Finds the persons.
        schedule: Where the tasks are from.
        ring: Where their frames are from.
        source_id: How the source of persons calls the pictures.

    Attributes:
        tracks: Tracks that have begun.
    """

    def __init__(
        self, predictor: LFBPredictor, persons: PersonSource, *, schedule: Schedule, ring: ClipRing, source_id: str
    ) -> None:
        self.tracks = 0
        self._predictor = predictor
        self._persons = persons
        self._schedule = schedule
        self._ring = ring
        self._id = source_id
        self._linker: Linker | None = None
        self._seen: dict[int, Seen] = {}
        self._rows: deque[Observed] = deque()
        self._reach = max(scorer.recipe.reach * scorer.recipe.step for scorer in predictor.scorers)

    @property
    def remembered(self) -> int:
        """Moments that the ring of bank rows holds."""
        return len(self._rows)

    def look(self, ready: ReadyTask) -> Seen:
        """Look for the persons of a moment, and link them to tracks."""
        began = time.perf_counter()
        task, frame = ready.task, ready.frames[0]
        if self._linker is None:
            self._linker = self._predictor.tracking.begin(frame.shape[1] / frame.shape[0])
        (persons,) = self._persons.find([frame], [task.second], self._id)
        tracks = self._linker.link(task.second, persons.boxes, persons.scores)
        self.tracks = max(self.tracks, 1 + int(tracks.max(initial=-1)))
        seen = Seen(persons, tracks, time.perf_counter() - began)
        if task.tick is not None:
            self._seen[task.tick] = seen
            if len(self._seen) > self._ring.most_moments:  # those of moments that were left out
                del self._seen[min(self._seen)]
        return seen

    def score(self, ready: ReadyTask) -> LiveMoment:
        """Score the persons of a moment at which they have been looked for."""
        began = time.perf_counter()
        task, frames = ready.task, ready.frames
        assert task.tick is not None
        seen = self._seen.pop(task.tick)
        features = [
            look.features(
                [np.stack([frames[place] for place in self._schedule.frame_places(task, number)])],
                [seen.persons],
                self._predictor.device,
            )
            for number, look in enumerate(self._predictor.looks)
        ]
        here = _one_moment(task.tick, seen, features)
        while self._rows and int(self._rows[0].ticks[0]) < task.tick - self._reach:
            self._rows.popleft()
        main, *other = (
            scorer.score(here, self._rows, [], first_row=0, video_id=self._id).scores
            for scorer in self._predictor.scorers
        )
        self._rows.append(here)
        latency = None if self._ring.lossless else time.monotonic() - self._ring.wall.at(task.second)
        return LiveMoment(
            second=task.second,
            wall=None if latency is None else time.time() - latency,
            latency=latency,
            computed=seen.spent + time.perf_counter() - began,
            boxes=here.boxes,
            confidences=here.scores,
            tracks=here.tracks,
            scores=main,
            without=other[0] if other else None,
            actions=self._predictor.trained.recipe.actions,
        )


def _one_moment(tick: int, seen: Seen, features: Sequence[Float[Tensor, "P _"]]) -> Observed:
    nobody = Glimpses(
        seconds=np.zeros(0), boxes=np.zeros((0, 4)), scores=np.zeros(0), tracks=np.zeros(0, dtype=np.int64)
    )
    return Observed(
        ticks=np.array([tick], dtype=np.int64),
        moment=np.zeros(len(seen.persons), dtype=np.int64),
        boxes=seen.persons.boxes.reshape(-1, 4),
        scores=seen.persons.scores,
        tracks=seen.tracks.astype(np.int64),
        features=features,
        thumbnails=[],
        glimpses=nobody,
    )
