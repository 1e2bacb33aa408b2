"""What is looked for within a video: pictures that no reader can give, and readings that do not agree."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64

from lfb_lightning.errors import InputError
from lfb_lightning.video import FrameFolder, Video, VideoFile
from lfb_lightning.video.survey import Survey, survey

_STREAMED_CLIPS = 8  # from the first keyframe on; a whole video takes minutes


def look_through(video: Video, clip_times: Float64[np.ndarray, "K T"], *, every_picture: bool) -> Survey | None:
    """Look at what the clips touch, decoding next to nothing; None for what is no video file.

    Args:
        video: The video.
        clip_times: Times of its clips, in seconds since the first frame.
        every_picture: Decode the pictures of codecs that can change their size at any of them (VP9, AV1), which takes
            seconds per minute of video; otherwise their key pictures are looked at.

    Raises:
        InputError: A file cannot be read, or JPEGs are missing, cut off or of several sizes.
    """
    if isinstance(video, FrameFolder):
        video.look_through(np.unique(clip_times))
    return survey(video.path, every_picture=every_picture) if isinstance(video, VideoFile) else None


def refuse_inexact(name: str, video: Video, clip_times: Float64[np.ndarray, "K T"]) -> None:
    """Compare clips read after a seek and in one pass with an independent decode of the same video.

    The first, the middle and the last clip are read after a seek, the first few in one pass. A video file is also
    decoded from a key picture further back, with no picture skipped: both must give the frames of that.

    Args:
        name: The video, for the message.
        video: The video.
        clip_times: Times of its clips, in seconds since the first frame.

    Raises:
        InputError: A frame differs.
    """
    right = video.clip_decoded_whole if isinstance(video, VideoFile) else video.clip
    for times in clip_times[sorted({0, len(clip_times) // 2, len(clip_times) - 1})]:
        _compare(name, "after a seek", times, video.clip(times), right(times))
    begin = clip_times[:_STREAMED_CLIPS]
    for times, clip in zip(begin, video.stream(begin), strict=True):
        _compare(name, "in one pass", times, clip, right(times))


def _compare(name: str, how: str, times: np.ndarray, clip: np.ndarray, right: np.ndarray) -> None:
    if not np.array_equal(clip, right):
        shown = zip(times, clip, right, strict=True)
        wrong = next(time for time, frame, other in shown if not np.array_equal(frame, other))
        raise InputError(
            f"video {name}: read {how}, it shows another picture at {wrong:.2f} s than decoded without seeking or skipping; "
            "convert it: `ffmpeg -i IN -c:v libx264 OUT.mp4`."
        )
