"""How long a video file says that it is, in seconds since its first frame."""

from __future__ import annotations

import av

from lfb_lightning.video.frame_times import FirstFrame

_LONGEST_SECONDS = 30 * 86_400  # a header that states more is damaged; frames are counted instead
_MATROSKA = "matroska,webm"


def stated_seconds(container: av.container.InputContainer, stream: av.VideoStream, first: FirstFrame) -> float:
    """The length of the pictures as the header states it; 0 where it states none or an absurd one."""
    assert stream.time_base is not None
    first_second = float((first.time_stamp or 0) * stream.time_base)
    if stream.duration is not None:
        seconds = float(stream.duration * stream.time_base)
    elif container.duration is not None:
        seconds = container.duration / av.time_base
    else:
        return 0.0
    if container.format.name == _MATROSKA:
        seconds -= first_second  # it states when the last frame ends
    return seconds if 0 < seconds < _LONGEST_SECONDS else 0.0
