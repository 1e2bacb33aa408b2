"""Frames of a video file, decoded with PyAV by presentation time.

One rule for both kinds of access: a time picks the frame whose presentation time, relative to the stream's start, is
nearest. Random access seeks to the key picture before the clip; streaming decodes the file once and keeps only frames
that a later clip still needs. Only frames that a clip uses are converted to RGB (2-3x less work than all of them). One
decoding thread: there is a worker per core already.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from jaxtyping import Float64, UInt8

from lfb_lightning.errors import InputError
from lfb_lightning.video.protocol import nearest_frames
from lfb_lightning.video.rolling import stream_from_frames

_SEEK_MARGIN_SECONDS = 0.5  # the frame before the wanted one may be the nearest; it must be decoded too


class VideoFile:
    """A video file on disk; see `Video` for the two ways to read it. Raises InputError naming the file and second."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._reformatter = VideoReformatter()

    def clip(self, times: Float64[np.ndarray, " T"]) -> UInt8[np.ndarray, "T H W 3"]:
        """RGB frames at ascending times (seconds since the first frame), after a seek."""
        with self._open() as (container, stream):
            margin = _SEEK_MARGIN_SECONDS
            while True:
                start = float(times[0]) - margin
                first, frames = self._decode_from(container, stream, start)
                if first is None or first <= times[0] or start <= 0:
                    break
                margin = 4 * margin + 1  # the seek went past the clip (mpegts does this): go back further
            picked = [self._rgb(frame) for _, frame in nearest_frames(frames, times)]
        if not picked:
            raise InputError(f"video {self.path}: no frame could be decoded at {times[0]:.2f} s.")
        return np.stack(picked)

    def stream(self, clip_times: Float64[np.ndarray, "K T"]) -> Iterator[UInt8[np.ndarray, "T H W 3"]]:
        """RGB frames of clips ordered by their last time, each frame decoded once."""
        with self._open() as (container, stream):
            yield from stream_from_frames(self._timed_frames(container, stream), clip_times, self._rgb, str(self.path))

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

    def _decode_from(
        self, container: av.container.InputContainer, stream: av.VideoStream, seconds: float
    ) -> tuple[float | None, Iterator[tuple[float, av.VideoFrame]]]:
        """Seek to the key picture at or before `seconds`; the first frame's time and all frames from it."""
        assert stream.time_base is not None
        offset = (stream.start_time or 0) + int(max(seconds, 0.0) / stream.time_base)
        container.seek(offset, stream=stream, backward=True)
        frames = self._timed_frames(container, stream)
        head = next(frames, None)
        if head is None:
            return None, iter(())

        def rest() -> Iterator[tuple[float, av.VideoFrame]]:
            yield head
            yield from frames

        return head[0], rest()

    def _timed_frames(
        self, container: av.container.InputContainer, stream: av.VideoStream
    ) -> Iterator[tuple[float, av.VideoFrame]]:
        assert stream.time_base is not None
        start = stream.start_time or 0
        second = 0.0
        try:
            for frame in container.decode(stream):
                if frame.pts is None:
                    continue
                second = float((frame.pts - start) * stream.time_base)
                yield second, frame
        except av.FFmpegError as error:
            raise InputError(f"video {self.path}: decoding stopped after {second:.2f} s ({error}).") from error

    def _rgb(self, frame: av.VideoFrame) -> UInt8[np.ndarray, "H W 3"]:
        return self._reformatter.reformat(frame, format="rgb24").to_ndarray()
