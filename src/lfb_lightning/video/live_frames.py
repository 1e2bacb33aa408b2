"""The frames of a live source, one after another as they come, on one clock that never goes back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import NamedTuple

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from jaxtyping import UInt8

from lfb_lightning.errors import InputError
from lfb_lightning.video.container import open_video
from lfb_lightning.video.first_frame import first_frame
from lfb_lightning.video.live_source import LiveSource, open_live
from lfb_lightning.video.orientation import Orientation, orientation_of
from lfb_lightning.video.timed_frames import timed_frames

_LONGEST_JUMP = 10.0  # seconds between two frames, above which time stamps are believed no more
_LONGEST_PAUSE = 30.0  # seconds between two tries to connect
_USUAL_STEP = 1 / 25  # seconds that a frame lasts where nothing says it


class LiveFrame(NamedTuple):
    """A frame that has just come.

    Args:
        second: When it is shown, in seconds since the source's first frame.
        end: When it is no longer shown, in the same seconds, as far as that is known.
        arrival: When it was decoded, by `time.monotonic`.
        follows: Whether nothing is missing between the frame before and this one.
        picture: Makes it an RGB picture, upright, in the first frame's size.
    """

    second: float
    end: float
    arrival: float
    follows: bool
    picture: Callable[[], UInt8[np.ndarray, "H W 3"]]


class LiveFrames:
    """Reads the frames of a source until it ends, or is asked to stop.

    Args:
        source: Where they come from.
        real_time: Whether a file is played at its own speed; else as fast as it is read.
        loop: Whether a file begins anew at its end.
        timeout: Seconds without data after which a connection is lost.
        reconnects: How often in a row a lost connection is tried again.
        report: Is told in a line what happens to the connection.
        stop: Ends the reading when it is set.

    Attributes:
        damaged: Frames that could not be decoded, and were left out.
        reconnected: How often the connection was made again.
        lost: Why the source ended, if it was lost.
    """

    def __init__(
        self,
        source: LiveSource,
        *,
        real_time: bool = True,
        loop: bool = False,
        timeout: float = 10.0,
        reconnects: int = 5,
        report: Callable[[str], None] = lambda line: None,
        stop: Event | None = None,
    ) -> None:
        self.source = source
        self.damaged = 0
        self.reconnected = 0
        self.lost: str | None = None
        self._real_time = real_time
        self._loop = loop
        self._timeout = timeout
        self._reconnects = reconnects
        self._report = report
        self._stop = stop or Event()
        self._to_rgb = _ToRGB(Path(source.name))

    def __iter__(self) -> Iterator[LiveFrame]:
        """Give the frames in order; a file's or pipe's end, or a lost connection, ends them.

        Raises:
            InputError: The source cannot be opened, or a file cannot be decoded.
        """
        return self._of_file() if self.source.kind == "file" else self._of_connections()

    def _of_file(self) -> Iterator[LiveFrame]:
        path = Path(self.source.url)
        first = first_frame(path)
        base = end = 0.0
        begin = time.monotonic()
        while True:
            with open_video(path) as video:
                for entry in timed_frames(video, first, None, after_seek=False):
                    second, end = base + entry.begin, base + entry.end
                    if self._stop.wait(max(0.0, begin + second - time.monotonic()) if self._real_time else 0.0):
                        return
                    if entry.frame.is_corrupt:
                        self.damaged += 1
                        continue
                    yield LiveFrame(second, end, time.monotonic(), True, self._to_rgb.later(entry.frame))
            if not self._loop or end <= base:
                return
            base = end

    def _of_connections(self) -> Iterator[LiveFrame]:
        clock = _SourceClock()
        tries = 0
        while not self._stop.is_set():
            try:
                for frame in self._of_connection(clock):
                    tries = 0
                    yield frame
                if self.source.kind == "pipe" or self._stop.is_set():
                    return
                reason = f"source {self.source.name}: has ended."
            except InputError as error:
                if clock.last is None:
                    raise
                reason = str(error)
            if tries >= self._reconnects:
                self.lost = reason
                return
            pause = min(2.0**tries, _LONGEST_PAUSE)
            tries += 1
            self._report(f"{reason} Try {tries} of {self._reconnects} to connect again follows in {pause:g} s.")
            if self._stop.wait(pause):
                return
            clock.disconnected()
            self.reconnected += 1

    def _of_connection(self, clock: _SourceClock) -> Iterator[LiveFrame]:
        with open_live(self.source, timeout=self._timeout) as video:
            step = float(1 / rate) if (rate := video.stream.average_rate or video.stream.guessed_rate) else _USUAL_STEP
            key_time: int | None = None
            for packet in video.container.demux(video.stream):
                if self._stop.is_set():
                    return
                if key_time is None:
                    if not packet.is_keyframe:  # a stream is joined between two key pictures
                        continue
                    key_time = packet.pts if packet.pts is not None else -(1 << 62)
                try:
                    frames = packet.decode()
                except (av.InvalidDataError, ValueError):
                    self.damaged += 1
                    continue
                for frame in frames:
                    if frame.is_corrupt:
                        self.damaged += 1
                    elif frame.pts is None or frame.pts >= key_time:  # else it refers to pictures before that
                        stamp = None if frame.pts is None else float(frame.pts * video.time_base)
                        lasts = float(frame.duration * video.time_base) if frame.duration else step
                        if (time_of := clock.place(stamp, lasts)) is not None:
                            second, follows = time_of
                            now = time.monotonic()
                            yield LiveFrame(second, second + lasts, now, follows, self._to_rgb.later(frame))


class _SourceClock:
    """Turns the time stamps of connections into seconds since the first frame of all.

    Time stamps that go back or leap ahead, and those of a new connection, go on from the time that has really passed.
    """

    def __init__(self) -> None:
        self.last: float | None = None
        self._origin: float | None = None  # the time stamp that second 0 would have
        self._arrival = 0.0
        self._was_lost = False

    def disconnected(self) -> None:
        """Forget what the time stamps meant."""
        self._origin = None
        self._was_lost = True

    def place(self, stamp: float | None, lasts: float) -> tuple[float, bool] | None:
        """Give the second of the next frame, and whether it follows the one before; None if it comes twice."""
        now = time.monotonic()
        if self.last is None:
            second, follows = 0.0, True
            self._origin = stamp
        else:
            second, follows = self.last + lasts, not self._was_lost
            if stamp is not None and self._origin is not None:
                second = stamp - self._origin
                follows = -1.0 <= second - self.last <= _LONGEST_JUMP
            if not follows:
                second = self.last + max(lasts, now - self._arrival)
            if not follows or self._origin is None:
                self._origin = None if stamp is None else stamp - second
            if second <= self.last:
                return None
        self.last, self._arrival, self._was_lost = second, now, False
        return second, follows


class _ToRGB:
    """Converts frames to upright RGB pictures of the first one's size."""

    def __init__(self, name: Path) -> None:
        self._name = name
        self._reformatter = VideoReformatter()
        self._size: tuple[int, int] | None = None  # as shown
        self._stored: tuple[int, int, int] | None = None
        self._orientation = Orientation()

    def later(self, frame: av.VideoFrame) -> Callable[[], UInt8[np.ndarray, "H W 3"]]:
        """Prepare a conversion, since most frames are not needed."""
        # A frame whose display matrix PyAV has shown is in a circle of references: it would stay until these are collected.
        if (stored := (frame.width, frame.height, frame.rotation)) != self._stored:
            self._stored, self._orientation = stored, orientation_of(frame, self._name)
        orientation = self._orientation
        if self._size is None:
            self._size = (frame.height, frame.width) if orientation.swaps_sides else (frame.width, frame.height)
        width, height = self._size[::-1] if orientation.swaps_sides else self._size

        def convert() -> UInt8[np.ndarray, "H W 3"]:
            stored = self._reformatter.reformat(frame, width=width, height=height, format="rgb24")
            return orientation.show(stored.to_ndarray())

        return convert
