"""Frames of a video file, decoded with PyAV by presentation time.

One rule for both kinds of access: a time picks the frame whose presentation time, relative to the stream's start, is
nearest. Random access seeks to the key picture before the clip; streaming decodes the file once and keeps only frames
that a later clip still needs. Only frames that a clip uses are converted to RGB (2-3x less work than all of them). One
decoding thread: there is a worker per core already.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from jaxtyping import Float64, UInt8

from lfb_lightning.errors import InputError
from lfb_lightning.video.protocol import VideoProperties, nearest_frames
from lfb_lightning.video.rolling import stream_from_frames
from lfb_lightning.video.selective import decode_needed

_SEEK_MARGIN_SECONDS = 0.5  # the frame before the wanted one may be the nearest; it must be decoded too


class VideoFile:
    """A video file on disk; see `Video` for the two ways to read it. Raises InputError naming the file and second."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._reformatter = VideoReformatter()

    def clip(self, times: Float64[np.ndarray, " T"]) -> UInt8[np.ndarray, "T H W 3"]:
        """RGB frames at ascending times (seconds since the first frame), after a seek."""
        margin = _SEEK_MARGIN_SECONDS
        while (picked := self._clip_after_seek(times, float(times[0]) - margin)) is None:
            margin = 4 * margin + 1  # the seek went past the clip (mpegts does this): go back further
        if not picked:
            raise InputError(f"video {self.path}: no frame could be decoded at {times[0]:.2f} s.")
        return np.stack(picked)

    def stream(
        self, clip_times: Float64[np.ndarray, "K T"], *, reach: float = 0.0
    ) -> Iterator[UInt8[np.ndarray, "T H W 3"]]:
        """RGB frames of clips ordered by their last time, each frame decoded once; see `Video` for `reach`."""
        with self._open() as (container, stream):
            frames = self._timed_frames(container, stream, np.unique(clip_times))
            rate = float(stream.average_rate or 0)
            shown_until = reach - (1 / rate if rate > 0 else 0)  # the last frame begins one frame before the end
            yield from stream_from_frames(frames, clip_times, self._rgb, str(self.path), shown_until)

    def properties(self) -> VideoProperties:
        """As the container states them; 0 seconds where it does not."""
        with self._open() as (container, stream):
            assert stream.time_base is not None
            if stream.duration is not None:
                seconds = float(stream.duration * stream.time_base)
            elif container.duration is not None:
                seconds = container.duration / av.time_base
            else:
                seconds = 0.0
            rate = float(stream.average_rate or stream.guessed_rate or 0)
            return VideoProperties(seconds, stream.frames or None, rate, stream.width, stream.height)

    @contextmanager
    def _open(self) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
        if not self.path.is_file():
            raise InputError(f"video {self.path}: no such file.")
        try:
            with av.open(str(self.path)) as container:
                if not container.streams.video:
                    raise InputError(f"video {self.path}: holds no video stream.")
                stream = container.streams.video[0]
                stream.codec_context.thread_count = 1
                yield container, stream
        except av.FFmpegError as error:
            raise InputError(f"video {self.path}: cannot be decoded ({error}).") from error

    def _clip_after_seek(
        self, times: Float64[np.ndarray, " T"], start: float
    ) -> list[UInt8[np.ndarray, "H W 3"]] | None:
        """Decode from the key picture at or before `start` (the file's first one if negative); None if it lies too late."""
        with self._open() as (container, stream):
            if start > 0:
                assert stream.time_base is not None
                offset = (stream.start_time or 0) + int(start / stream.time_base)
                container.seek(offset, stream=stream, backward=True)
            frames = self._timed_frames(container, stream, times)
            head = next(frames, None)
            if start > 0 and (head is None or head[0] > times[0]):
                return None
            if head is None:
                return []
            return [self._rgb(frame) for _, frame in nearest_frames(chain([head], frames), times)]

    def _timed_frames(
        self, container: av.container.InputContainer, stream: av.VideoStream, times: Float64[np.ndarray, " T"]
    ) -> Iterator[tuple[float, av.VideoFrame]]:
        """Frames with their seconds since the first; of those nearest to one of the ascending times, none is missing."""
        assert stream.time_base is not None
        start = stream.start_time or 0
        second = 0.0
        moments = (times / float(stream.time_base) + start).tolist()
        try:
            for frame in decode_needed(container.demux(stream), stream.codec_context, moments):
                if frame.pts is None:
                    continue
                second = float((frame.pts - start) * stream.time_base)
                yield second, frame
        except av.FFmpegError as error:
            raise InputError(f"video {self.path}: decoding stopped after {second:.2f} s ({error}).") from error

    def _rgb(self, frame: av.VideoFrame) -> UInt8[np.ndarray, "H W 3"]:
        if frame.is_corrupt:
            raise InputError(f"video {self.path}: the frame at {frame.time or 0:.2f} s is damaged.")
        return self._reformatter.reformat(frame, format="rgb24").to_ndarray()
