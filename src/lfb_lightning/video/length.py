"""The length of a video file in seconds since its first frame: as its header states it, or counted."""

from __future__ import annotations

import av

from lfb_lightning.video.container import OpenVideo
from lfb_lightning.video.first_frame import FirstFrame
from lfb_lightning.video.wholeness import why_cut_off

_LONGEST_SECONDS = 30 * 86_400  # a header that states more is damaged; frames are counted instead
_MATROSKA = "matroska,webm"
_ESTIMATED = {"mpeg"}  # formats without a header that states the length, for which FFmpeg guesses one


def stated_seconds(video: OpenVideo, first: FirstFrame) -> float:
    """Return the length in seconds that the header states; 0 where it states none or an absurd one."""
    if video.format in _ESTIMATED:
        return 0.0
    if video.format == _MATROSKA:
        end = _matroska_end(video)
        seconds = end - float((first.time_stamp or 0) * video.time_base)
    elif video.stream.duration is not None:
        seconds = float(video.stream.duration * video.time_base)
    else:
        seconds = (video.container.duration or 0) / av.time_base
    return seconds if 0 < seconds < _LONGEST_SECONDS else 0.0


def counted_seconds(video: OpenVideo, first: FirstFrame) -> float:
    """Find the second at which the last picture ends by reading every packet; the file must be at its start."""
    usual = float(1 / first.rate) if first.rate is not None else 0.0
    packets, end = 0, 0.0
    for packet in video.container.demux(video.stream):
        packets += packet.size > 0
        if first.time_stamp is not None and packet.pts is not None:
            lasts = float(packet.duration * video.time_base) if packet.duration else usual
            end = max(end, float((packet.pts - first.time_stamp) * video.time_base) + lasts)
    return packets * usual if first.time_stamp is None else end


def last_picture_ends(video: OpenVideo, first: FirstFrame, end: float) -> float:
    """Return the second at which the last picture really ends.

    Matroska does not state the duration of single pictures, so that a still picture at the end seems to last as long as any
    other. If the file is whole, the stream's own length is used.

    Args:
        video: The open file.
        first: Its first frame.
        end: The second at which the last picture ends by its packet.
    """
    if video.format == _MATROSKA and "DURATION" in video.stream.metadata and why_cut_off(video.path) is None:
        return max(end, stated_seconds(video, first))
    return end


def _matroska_end(video: OpenVideo) -> float:
    """Return the second at which the last picture ends, counted from 0 and not from the first frame."""
    hours, minutes, seconds = (["", *video.stream.metadata.get("DURATION", "").split(":")] + [""] * 3)[1:4]
    try:
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:  # no such tag, or one in another form
        return (video.container.duration or 0) / av.time_base
