"""Writing mp4 files with H.264 as every browser plays it: 8 bits, 4:2:0, even sides, upright, index first."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import durable_file
from lfb_lightning.files.objects.url import Place
from lfb_lightning.video.container import OpenVideo
from lfb_lightning.video.first_frame import FirstFrame
from lfb_lightning.video.orientation import Orientation, orientation_of
from lfb_lightning.video.timed_frames import TimedFrame
from lfb_lightning.viz.video_drawing import Planes

_BT709, _UNSTATED, _BT601 = 1, 2, 6  # FFmpeg's AVColorSpace
_USUAL_RATE = Fraction(25)
_OPTIONS = {"preset": "veryfast", "crf": "23"}
_KEY_PICTURE_SECONDS = 2  # so that scrubbing is quick


@contextmanager
def mp4_file(path: Path) -> Iterator[Any]:
    """Open an mp4 file for writing with PyAV; it appears under its name only when it is whole.

    Args:
        path: The file; its folder must exist.

    Yields:
        PyAV's output container.

    Raises:
        InputError: The file cannot be written.
    """
    with durable_file(path) as file:
        # By name, since FFmpeg opens the file a second time to move the index to its front.
        try:
            with av.open(f"file:{file.name}", "w", format="mp4", options={"movflags": "faststart"}) as container:
                yield container
        except av.FFmpegError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror or error}).") from error


class UprightPictures:
    """Converts decoded pictures of a video to upright planes of one even size.

    Args:
        first: The video's first frame.
        path: The video, for messages.
        short_side: Pictures whose short side is longer are reduced to it, in pixels; None keeps the size.
    """

    def __init__(self, first: FirstFrame, path: Place, *, short_side: int | None) -> None:
        scale = 1.0 if short_side is None else min(1.0, short_side / min(first.width, first.height))
        self._width, self._height = max(1, round(first.width * scale)), max(1, round(first.height * scale))
        self.width, self.height = self._width + self._width % 2, self._height + self._height % 2
        self._path = path
        self._reformatter = VideoReformatter()

    def planes(self, frame: av.VideoFrame) -> Planes:
        """Convert a frame; the planes are copies, since the decoder still refers to its own."""
        orientation = orientation_of(frame, self._path)
        width, height = (self._height, self._width) if orientation.swaps_sides else (self._width, self._height)
        stored = self._reformatter.reformat(frame, width=width, height=height, format="yuv420p")
        y, u, v = (_upright(stored.planes[index], orientation) for index in range(3))
        extra = (self.height - y.shape[0], self.width - y.shape[1])
        return Planes(np.pad(y, ((0, extra[0]), (0, extra[1])), mode="edge") if any(extra) else y, u, v)


class PictureEncoder:
    """Encodes the pictures of a video into an mp4 file, each at its own time.

    Args:
        container: PyAV's output container.
        video: The open source.
        first: Its first frame.
        width: Width of the planes in pixels.
        height: Height in pixels.
    """

    def __init__(self, container: Any, video: OpenVideo, first: FirstFrame, *, width: int, height: int) -> None:
        rate = first.rate or _USUAL_RATE
        key_pictures = {"g": str(max(1, round(_KEY_PICTURE_SECONDS * rate)))}
        self._container = container
        self._stream = container.add_stream("libx264", rate=rate, options=_OPTIONS | key_pictures)
        codec, source = self._stream.codec_context, video.stream.codec_context
        codec.width, codec.height, codec.pix_fmt = width, height, "yuv420p"
        codec.thread_type, codec.thread_count = "FRAME", 2  # a fixed number, since the bytes depend on it
        self._unit = codec.time_base = video.time_base  # so that time stamps stay what they are
        if (aspect := source.sample_aspect_ratio) is not None and aspect > 0:
            codec.sample_aspect_ratio = 1 / aspect if first.orientation.swaps_sides else aspect
        matrix = source.colorspace or _BT601  # 0 is RGB, which becomes BT.601 when it is converted
        codec.colorspace, codec.color_primaries, codec.color_trc = matrix, source.color_primaries, source.color_trc
        self.bt709 = matrix == _BT709 or (matrix == _UNSTATED and height >= 720)
        self._last = -1

    def write(self, planes: Planes, entry: TimedFrame) -> None:
        """Encode a picture, shown as long as the given frame is."""
        height, width = planes.y.shape
        frame = av.VideoFrame(width, height, "yuv420p")
        for plane, content in zip(frame.planes, planes, strict=True):
            _rows(plane)[:] = content
        units, unit = self._unit.denominator, self._unit.numerator
        begin, end = (round(second * units / unit) for second in (entry.begin, entry.end))
        frame.pts = self._last = max(begin, self._last + 1)  # two pictures at one time would be an error
        frame.duration = max(end - begin, 1)
        frame.time_base = self._unit
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._container.mux(self._stream.encode(None))


def _upright(plane: av.video.plane.VideoPlane, orientation: Orientation) -> np.ndarray:
    stored = _rows(plane)
    return np.array(np.rot90(stored[:, ::-1] if orientation.mirrored else stored, orientation.rotation // 90))


def _rows(plane: av.video.plane.VideoPlane) -> np.ndarray:
    """View a plane as an array; its lines may be longer in memory than the picture is wide."""
    buffer: Any = plane  # PyAV does not state that it is one
    lines = np.frombuffer(buffer, np.uint8).reshape(-1, abs(plane.line_size))
    return lines[: plane.height, : plane.width]
