"""Where a video's time starts, and what its pictures look like: the first frame that is shown says it.

The first frame's time stamp need not be the one at which the stream is said to start (MPEG-4 in AVI is one frame late),
so it is looked up by decoding, once per file and process. A stream without time stamps is read by number and rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

from lfb_lightning.errors import InputError
from lfb_lightning.video.container import OpenVideo, open_video
from lfb_lightning.video.key_pictures import decode_from_key_picture
from lfb_lightning.video.orientation import Orientation, orientation_of

# A program stream's packets begin inside pictures, so after a seek its time stamps are given to the wrong ones.
_OTHER_TIMES_AFTER_A_SEEK = {"mpeg"}
_PROGRESSIVE = (0, 1)  # FFmpeg's AV_FIELD_UNKNOWN and AV_FIELD_PROGRESSIVE
_RAW_STREAMS = {"h264", "hevc", "m4v", "mpegvideo"}  # no container: FFmpeg says 25 frames per second of each
_HIGHEST_RATE = 10_000
_ADD_TIME_STAMPS = "write them: `ffmpeg -r RATE -i IN OUT.mp4`"


@dataclass(frozen=True, slots=True)
class FirstFrame:
    """Where a video's time starts and what its pictures look like; later ones of another size are scaled to this one.

    `time_stamp` is in the stream's time base, None if the stream has none that can be used; `rate` (frames per second) then
    says how long a frame lasts. `width` and `height` are as shown, after turning by `orientation`. `seekable` says whether
    the times after a seek are those of a pass from the start, and `interlaced` whether a picture may be two fields.
    """

    time_stamp: int | None
    rate: Fraction | None
    width: int
    height: int
    orientation: Orientation
    seekable: bool
    interlaced: bool


def first_frame(path: Path) -> FirstFrame:
    """The first frame that is shown; decoded once per process for a file that does not change.

    Raises:
        InputError: nothing can be decoded, or the stream has neither time stamps nor a rate.
    """
    try:
        status = path.stat()
    except OSError:
        return _decode_first(path, ())  # which says what is wrong
    return _decode_first(path, (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))


@lru_cache(maxsize=4096)
def _decode_first(path: Path, version: tuple[int, ...]) -> FirstFrame:
    with open_video(path) as video:
        frame = next(decode_from_key_picture(video, moments=None, after_seek=False), None)
        if frame is None:
            raise InputError(f"video {path}: no frame could be decoded.")
        rate = _stated_rate(video)
        time_stamp = None if _states_decoding_order_only(video) else frame.pts
        if time_stamp is None and rate is None:
            raise InputError(f"video {path}: has neither time stamps nor a frame rate; {_ADD_TIME_STAMPS}.")
        orientation = orientation_of(frame, path)
        width, height = (frame.height, frame.width) if orientation.swaps_sides else (frame.width, frame.height)
        seekable = time_stamp is not None and video.format not in _OTHER_TIMES_AFTER_A_SEEK
        interlaced = frame.interlaced_frame or video.stream.codec_context.field_order not in _PROGRESSIVE
        return FirstFrame(time_stamp, rate, width, height, orientation, seekable, interlaced)


def _states_decoding_order_only(video: OpenVideo) -> bool:
    """AVI numbers its packets; with H.264 or HEVC, FFmpeg cannot tell from that when a picture is shown."""
    codec = video.stream.codec_context
    return video.format == "avi" and codec.name in ("h264", "hevc") and bool(codec.has_b_frames)


def _stated_rate(video: OpenVideo) -> Fraction | None:
    """Frames per second as the container or the codec states them; None if they do not."""
    of_container = () if video.format in _RAW_STREAMS else (video.stream.average_rate, video.stream.guessed_rate)
    stated = (*of_container, video.stream.codec_context.framerate)
    return next((rate for rate in stated if rate is not None and 0 < rate < _HIGHEST_RATE), None)
