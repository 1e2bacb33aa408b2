"""One pass over the frames of an open file, each with the seconds at which it begins and ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import av
import numpy as np
from jaxtyping import Float64

from lfb_lightning.errors import InputError
from lfb_lightning.video.container import OpenVideo, why_unreadable
from lfb_lightning.video.first_frame import FirstFrame
from lfb_lightning.video.key_pictures import decode_from_key_picture
from lfb_lightning.video.length import last_picture_ends
from lfb_lightning.video.protocol import refuse_early_end


class TimedFrame(NamedTuple):
    """A decoded frame with its time.

    Args:
        begin: When it is first shown, in seconds since the first frame.
        end: When it is no longer shown, in the same seconds.
        frame: PyAV's frame.
    """

    begin: float
    end: float
    frame: av.VideoFrame


def seek_before(video: OpenVideo, first: FirstFrame, second: float) -> bool:
    """Move an open file to the key picture before a second.

    Args:
        video: The open file.
        first: Its first frame, which must have a time stamp.
        second: Seconds since the first frame.

    Returns:
        Whether the container could do that.
    """
    assert first.time_stamp is not None
    try:
        video.container.seek(first.time_stamp + int(second / video.time_base), stream=video.stream, backward=True)
    except av.FFmpegError:  # there is no index, or it does not reach so far back: the caller tries an earlier second
        return False
    return True


def timed_frames(
    video: OpenVideo, first: FirstFrame, times: Float64[np.ndarray, " T"] | None, *, after_seek: bool
) -> Iterator[TimedFrame]:
    """Decode frames from the next key picture on.

    Args:
        video: The open file.
        first: Its first frame.
        times: Ascending seconds since the first frame, float64 `[T]`. Frames that are nearest to none of them may be skipped;
            None decodes everything.
        after_seek: Whether the file was moved to another place.

    Yields:
        The frames in presentation order, with their times.

    Raises:
        InputError: The decoder fails, or the time stamps go back.
    """
    moments = None
    if times is not None and first.time_stamp is not None and not first.interlaced:
        moments = (times / float(video.time_base) + first.time_stamp).tolist()
    second = 0.0
    try:
        for entry in _with_times(decode_from_key_picture(video, moments=moments, after_seek=after_seek), video, first):
            second = entry.begin
            yield entry
    except av.FFmpegError as error:
        reason = why_unreadable(video.path, error)
        raise InputError(f"video {video.path}: decoding stopped after {second:.2f} s: {reason}.") from error


def reaching(frames: Iterable[TimedFrame], video: OpenVideo, first: FirstFrame, reach: float) -> Iterator[TimedFrame]:
    """Pass frames on, and check at their end that none is missing.

    Args:
        frames: The frames of a file.
        video: The open file.
        first: Its first frame.
        reach: The second that the frames should reach.

    Yields:
        The frames.

    Raises:
        InputError: The frames end more than a second before `reach`.
    """
    end = 0.0
    for entry in frames:
        end = entry.end
        yield entry
    if end < reach:
        end = last_picture_ends(video, first, end)
    refuse_early_end(str(video.path), end, reach)


def _with_times(frames: Iterable[av.VideoFrame], video: OpenVideo, first: FirstFrame) -> Iterator[TimedFrame]:
    """Give each frame its times.

    A frame without a time stamp begins where the one before it ends; one without a duration lasts as long as the rate says.
    """
    usual = float(1 / first.rate) if first.rate is not None else 0.0
    unit, units = video.time_base.as_integer_ratio()  # integers are exact and faster than fractions
    begin = end = 0.0
    for number, frame in enumerate(frames):
        before = begin
        if first.time_stamp is None:
            begin = number * usual
        elif frame.pts is not None:
            begin = (frame.pts - first.time_stamp) * unit / units
        else:
            begin = end
        if number and begin < before:
            raise InputError(
                f"video {video.path}: its time stamps go back from {before:.2f} s to {begin:.2f} s; write new ones: "
                "`ffmpeg -i IN OUT.mp4`."
            )
        end = begin + (frame.duration * unit / units if frame.duration else usual)
        yield TimedFrame(begin, end, frame)
