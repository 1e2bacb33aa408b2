"""From a live source to actions every second: a thread that reads, and whoever iterates, who scores."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from lfb_lightning.errors import InputError
from lfb_lightning.live.latencies import Latencies
from lfb_lightning.live.recognition import LiveMoment, Recognition, Seen
from lfb_lightning.live.ring import ClipRing
from lfb_lightning.live.schedule import Schedule
from lfb_lightning.live.settings import LiveSettings
from lfb_lightning.prediction import LFBPredictor
from lfb_lightning.video.live_frames import LiveFrames
from lfb_lightning.video.live_source import LiveSource

_JOIN_SECONDS = 2.0
_LONGEST_CLIP = 60.0  # seconds


@runtime_checkable
class Watcher(Protocol):
    """What looks on, such as a preview. It must return at once."""

    def see(self, frame: UInt8[np.ndarray, "H W 3"], second: float, seen: Seen) -> None:
        """Take the picture of a moment at which persons were looked for, with these persons."""
        ...

    def tell(self, moment: LiveMoment) -> None:
        """Take the scores of a moment."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveSummary:
    """What was done of a source.

    Args:
        ended: Why it ended.
        seconds: Up to which second of the source frames came.
        moments: Moments that were scored.
        left_out: Moments that were not, since they were late or frames of theirs were missing.
        persons: Persons that were scored, each as often as it was.
        tracks: Tracks.
        frames: Frames that came.
        dropped: Frames that were kept for moments that were left out.
        damaged: Frames that could not be decoded.
        reconnected: How often the connection was made again.
        latency: Median, 95th percentile and maximum in seconds; None where there are none.
    """

    ended: str
    seconds: float
    moments: int
    left_out: int
    persons: int
    tracks: int
    frames: int
    dropped: int
    damaged: int
    reconnected: int
    latency: tuple[float, float, float] | None


class LiveRecognizer:
    """Tells what the persons of a live source do, moment by moment; iterating does the work.

    Every moment sees only the past: its window has nothing after it. All that is held is a ring of frames and a ring of bank
    rows, whatever the time that it runs.

    Args:
        predictor: What scores, and what finds and links persons.
        source: What `LiveSource.parse` reads: a camera, an address, a pipe or a file.
        settings: How it is read.
        report: Is told in a line what happens to the connection.
        watcher: Looks on; None: nobody.
        stop: Ends it when it is set, from any thread.

    Raises:
        InputError: The source is none or does not fit the settings, or the clips are too long to be held.
    """

    def __init__(
        self,
        predictor: LFBPredictor,
        source: str,
        *,
        settings: LiveSettings | None = None,
        report: Callable[[str], None] = lambda line: None,
        watcher: Watcher | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self.predictor = predictor
        self.settings = settings or LiveSettings()
        self.source = LiveSource.parse(source)
        self._check()
        self._stop = stop or threading.Event()
        self._watcher = watcher
        samplings = [look.clips.sampling for look in predictor.looks]
        schedule = Schedule(predictor.moments, samplings, end=self.settings.end)
        if not schedule.span <= _LONGEST_CLIP:  # a checkpoint says it, and the ring holds what is between
            raise InputError(
                f"checkpoint {predictor.trained.path}: its clips, or those of bank_ckpt_path or compare, are "
                f"{schedule.span:g} s long, expected at most {_LONGEST_CLIP:g} s for live pictures; do clips.fps, "
                "clips.num_frames and clips.frame_stride fit?"
            )
        lossless = self.settings.speed == "max"
        self.ring = ClipRing(schedule, late=None if lossless else float(self.settings.late), stop=self._stop)
        name = Path(self.source.url).stem if self.source.kind == "file" else "live"
        self.recognition = Recognition(
            predictor, predictor.person_source(), schedule=schedule, ring=self.ring, source_id=name
        )
        self.tail = schedule.tail
        self._frames = LiveFrames(
            self.source,
            real_time=not lossless,
            loop=self.settings.loop,
            timeout=float(self.settings.timeout),
            reconnects=self.settings.reconnects,
            report=report,
            stop=self._stop,
        )
        self._latencies = Latencies()
        self._moments = self._persons = self._came = 0
        self._second = 0.0
        self._ended = "asked to stop"

    def __iter__(self) -> Iterator[LiveMoment]:
        """Give the moments as they are scored, until the source ends or it is asked to stop.

        Raises:
            InputError: The source cannot be opened, or persons cannot be found.
        """
        reader = threading.Thread(target=self._read, name="reads-live-source", daemon=True)
        reader.start()
        try:
            while (ready := self.ring.take()) is not None:
                if ready.task.scores:
                    moment = self.recognition.score(ready)
                    self._moments += 1
                    if moment.latency is not None:
                        self._latencies.add(moment.latency)
                    self._persons += len(moment)
                    self.ring.done(ready)
                    if self._watcher is not None:
                        self._watcher.tell(moment)
                    yield moment
                else:
                    seen = self.recognition.look(ready)
                    if self._watcher is not None:
                        self._watcher.see(ready.frames[0], ready.task.second, seen)
                    self.ring.done(ready)
        finally:
            self._stop.set()
            reader.join(_JOIN_SECONDS)  # one that waits for the network is left alone

    def summary(self) -> LiveSummary:
        """Say what was done up to now."""
        count, quantile = self._latencies.count, self._latencies.quantile
        return LiveSummary(
            ended=self._ended,
            seconds=self._second,
            moments=self._moments,
            left_out=self.ring.left_out,
            persons=self._persons,
            tracks=self.recognition.tracks,
            frames=self._came,
            dropped=self.ring.dropped,
            damaged=self._frames.damaged,
            reconnected=self._frames.reconnected,
            latency=(quantile(0.5), quantile(0.95), self._latencies.most) if count else None,
        )

    def _check(self) -> None:
        if self.settings.speed == "max" and self.source.kind not in ("file", "pipe"):
            raise InputError(f"live.speed=max is for a file or a pipe; {self.source.name} comes as fast as it comes.")
        if self.settings.loop and self.source.kind != "file":
            raise InputError(f"live.loop=true is for a file, and {self.source.name} is none.")

    def _read(self) -> None:
        """Read the source, in a thread of its own."""
        failure: Exception | None = None
        ended = ""
        try:
            for frame in self._frames:
                self._came += 1
                self._second = frame.second
                if not self.ring.add(frame):
                    ended = "" if self._stop.is_set() else "its duration is over"
                    break
            else:
                ended = "" if self._stop.is_set() else self._frames.lost or "the source has ended"
        except Exception as error:  # raised again where the moments are taken
            failure = error
        self._ended = ended or self._ended
        self.ring.finish(failure)
