"""When a decoded frame is shown: seconds since the first frame that is shown, whatever time stamps the container uses.

The first frame's time stamp need not be the one at which the stream is said to start (MPEG-4 in AVI is one frame late),
so it is looked up by decoding, once per file and process. A stream without time stamps is read by number and rate.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import av

from lfb_lightning.errors import InputError
from lfb_lightning.video.container import open_video
from lfb_lightning.video.key_pictures import decode_from_key_picture
from lfb_lightning.video.orientation import Orientation, orientation_of

# A program stream's packets begin inside pictures, so after a seek its time stamps are given to the wrong ones.
_OTHER_TIMES_AFTER_A_SEEK = {"mpeg"}
_RAW_STREAMS = {"h264", "hevc", "m4v", "mpegvideo"}  # no container: FFmpeg says 25 frames per second of each
_HIGHEST_RATE = 10_000
_ADD_TIME_STAMPS = "add them: `ffmpeg -r RATE -i IN -c copy OUT.mp4`"


@dataclass(frozen=True, slots=True)
class FirstFrame:
    """Where a video's time starts and what its pictures look like; later ones of another size are scaled to this one.

    `time_stamp` is in the stream's time base, None if the stream has none that can be used; `rate` (frames per second) then
    says how long a frame lasts. `width` and `height` are as shown, after turning by `orientation`. `seekable` says whether
    the times after a seek are those of a pass from the start.
    """

    time_stamp: int | None
    rate: Fraction | None
    width: int
    height: int
    orientation: Orientation
    seekable: bool


class TimedFrame(NamedTuple):
    """A decoded frame, shown from `begin` to `end` (seconds since the first frame)."""

    begin: float
    end: float
    frame: av.VideoFrame


def first_frame(path: Path) -> FirstFrame:
    """The first frame that is shown; decoded once per process for a file that does not change.

    Raises:
        InputError: nothing can be decoded, or the stream has neither time stamps nor a rate.
    """
    try:
        status = path.stat()
    except OSError:
        return _decode_first(path, 0, 0)  # which says what is wrong
    return _decode_first(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)
def _decode_first(path: Path, size: int, changed: int) -> FirstFrame:
    with open_video(path) as (container, stream):
        frame = next(decode_from_key_picture(container, stream, moments=None, after_seek=False), None)
        if frame is None:
            raise InputError(f"video {path}: no frame could be decoded.")
        rate = _stated_rate(container, stream)
        time_stamp = None if _states_decoding_order_only(container, stream) else frame.pts
        if time_stamp is None and rate is None:
            raise InputError(f"video {path}: has neither time stamps nor a frame rate; {_ADD_TIME_STAMPS}.")
        orientation = orientation_of(frame, path)
        width, height = (frame.height, frame.width) if orientation.swaps_sides else (frame.width, frame.height)
        seekable = time_stamp is not None and container.format.name not in _OTHER_TIMES_AFTER_A_SEEK
        return FirstFrame(time_stamp, rate, width, height, orientation, seekable)


def _states_decoding_order_only(container: av.container.InputContainer, stream: av.VideoStream) -> bool:
    """AVI numbers its packets; with H.264 or HEVC, FFmpeg cannot tell from that when a picture is shown."""
    codec = stream.codec_context
    return container.format.name == "avi" and codec.name in ("h264", "hevc") and bool(codec.has_b_frames)


def _stated_rate(container: av.container.InputContainer, stream: av.VideoStream) -> Fraction | None:
    """Frames per second as the container or the codec states them; None if they do not."""
    of_container = () if container.format.name in _RAW_STREAMS else (stream.average_rate, stream.guessed_rate)
    stated = (*of_container, stream.codec_context.framerate)
    return next((rate for rate in stated if rate is not None and 0 < rate < _HIGHEST_RATE), None)


def timed(frames: Iterable[av.VideoFrame], first: FirstFrame, time_base: Fraction, path: Path) -> Iterator[TimedFrame]:
    """The frames with their times.

    A frame without a time stamp begins where the one before it ends. Where durations are not stated, a frame lasts as
    long as the rate says.

    Raises:
        InputError: time goes back, so that no moment belongs to one frame.
    """
    usual = float(1 / first.rate) if first.rate is not None else 0.0
    begin = end = 0.0
    for number, frame in enumerate(frames):
        before = begin
        if first.time_stamp is None:
            begin = float(number / first.rate) if first.rate is not None else end
        elif frame.pts is not None:
            begin = float((frame.pts - first.time_stamp) * time_base)
        else:
            begin = end
        if number and begin < before:
            raise InputError(
                f"video {path}: its time stamps go back from {before:.2f} s to {begin:.2f} s; write new ones: "
                "`ffmpeg -i IN OUT.mp4`."
            )
        end = begin + (float(frame.duration * time_base) if frame.duration else usual)
        yield TimedFrame(begin, end, frame)
