"""The first frame of a video, which says where its time starts and what its pictures look like.

The first frame's time stamp can differ from the start that the container states (MPEG-4 in AVI is one frame late), so it is
found by decoding, once per file and process. A stream without time stamps is read by frame number and rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.url import Place
from lfb_lightning.video.container import OpenVideo, open_video
from lfb_lightning.video.key_pictures import decode_from_key_picture
from lfb_lightning.video.orientation import Orientation, orientation_of
from lfb_lightning.video.place import version_of

# The packets of an MPEG program stream begin inside pictures, so that time stamps belong to other pictures after a seek.
_OTHER_TIMES_AFTER_A_SEEK = {"mpeg"}
_PROGRESSIVE = (0, 1)  # FFmpeg's AV_FIELD_UNKNOWN and AV_FIELD_PROGRESSIVE
_RAW_STREAMS = {"h264", "hevc", "m4v", "mpegvideo"}  # without a container, for which FFmpeg always states 25 fps
_HIGHEST_RATE = 10_000
_ADD_TIME_STAMPS = "write them: `ffmpeg -r RATE -i IN OUT.mp4`"


@dataclass(frozen=True, slots=True)
class FirstFrame:
    """What the first shown frame says about a video; later frames of another size are scaled to this one's.

    Args:
        time_stamp: Its time stamp in the stream's time base, or None if the stream has none that can be used.
        rate: Frames per second as stated; it says how long a frame lasts where there are no time stamps.
        width: Width in pixels as shown, after turning by `orientation`.
        height: Height in pixels as shown.
        orientation: How stored pictures are turned to be shown.
        seekable: Whether frames have the same times after a seek as in a pass from the start.
        interlaced: Whether a picture may be stored as two fields.
    """

    time_stamp: int | None
    rate: Fraction | None
    width: int
    height: int
    orientation: Orientation
    seekable: bool
    interlaced: bool


def first_frame(path: Place) -> FirstFrame:
    """Decode the first frame that is shown, once per process for a file that does not change.

    Raises:
        InputError: Nothing can be decoded, or the stream has neither time stamps nor a rate.
    """
    try:
        version = version_of(path)
    except OSError:
        return _decode_first(path, ())  # raises the error that says what is wrong
    return _decode_first(path, version)


@lru_cache(maxsize=4096)
def _decode_first(path: Place, version: tuple[object, ...]) -> FirstFrame:
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
        # PyAV 17, of Python 3.10, does not say it.
        field_order = getattr(video.stream.codec_context, "field_order", None)
        interlaced = frame.interlaced_frame or field_order not in _PROGRESSIVE
        return FirstFrame(time_stamp, rate, width, height, orientation, seekable, interlaced)


def _states_decoding_order_only(video: OpenVideo) -> bool:
    """Tell whether time stamps are useless: AVI numbers packets only, not the order in which H.264 or HEVC is shown."""
    codec = video.stream.codec_context
    return video.format == "avi" and codec.name in ("h264", "hevc") and bool(codec.has_b_frames)


def _stated_rate(video: OpenVideo) -> Fraction | None:
    """Return the frames per second that the container or the codec states, or None."""
    of_container = () if video.format in _RAW_STREAMS else (video.stream.average_rate, video.stream.guessed_rate)
    stated = (*of_container, video.stream.codec_context.framerate)
    return next((rate for rate in stated if rate is not None and 0 < rate < _HIGHEST_RATE), None)
