"""How long a video file is, in seconds since its first frame: as its header says, or counted."""

from __future__ import annotations

from pathlib import Path

import av

from lfb_lightning.video.frame_times import FirstFrame
from lfb_lightning.video.wholeness import why_cut_off

_LONGEST_SECONDS = 30 * 86_400  # a header that states more is damaged; frames are counted instead
_MATROSKA = "matroska,webm"
_ESTIMATED = {"mpeg"}  # no header states a length; FFmpeg's is a guess


def stated_seconds(container: av.container.InputContainer, stream: av.VideoStream, first: FirstFrame) -> float:
    """The length of the pictures as the header states it; 0 where it states none or an absurd one."""
    assert stream.time_base is not None, "refused when the file was opened"
    if container.format.name in _ESTIMATED:
        return 0.0
    if container.format.name == _MATROSKA:
        end = _matroska_end(container, stream)
        seconds = end - float((first.time_stamp or 0) * stream.time_base)
    elif stream.duration is not None:
        seconds = float(stream.duration * stream.time_base)
    else:
        seconds = (container.duration or 0) / av.time_base
    return seconds if 0 < seconds < _LONGEST_SECONDS else 0.0


def counted_seconds(container: av.container.InputContainer, stream: av.VideoStream, first: FirstFrame) -> float:
    """When the last picture ends, found by reading every packet of a container that is at its start."""
    assert stream.time_base is not None, "refused when the file was opened"
    usual = float(1 / first.rate) if first.rate is not None else 0.0
    packets, end = 0, 0.0
    for packet in container.demux(stream):
        packets += packet.size > 0
        if first.time_stamp is not None and packet.pts is not None:
            lasts = float(packet.duration * stream.time_base) if packet.duration else usual
            end = max(end, float((packet.pts - first.time_stamp) * stream.time_base) + lasts)
    return packets * usual if first.time_stamp is None else end


def last_picture_ends(
    path: Path, container: av.container.InputContainer, stream: av.VideoStream, first: FirstFrame, end: float
) -> float:
    """When the last picture really ends, if its packet says that it ends at second `end`.

    Matroska states no duration of single pictures, so that a still one at the end seems to last as long as any other; the
    stream's own length tells more, where the file is whole.
    """
    if container.format.name == _MATROSKA and "DURATION" in stream.metadata and why_cut_off(path) is None:
        return max(end, stated_seconds(container, stream, first))
    return end


def _matroska_end(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    """The second at which the last picture ends, counted as its time stamps are."""
    hours, minutes, seconds = (["", *stream.metadata.get("DURATION", "").split(":")] + [""] * 3)[1:4]
    try:
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:  # no such tag, or one in another form
        return (container.duration or 0) / av.time_base
