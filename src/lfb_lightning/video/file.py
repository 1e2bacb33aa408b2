"""Frames of a video file, decoded with PyAV by presentation time.

One rule for both kinds of access: a time picks the frame whose presentation time, counted from the first frame, is
nearest. Random access seeks to a key picture before the clip; streaming decodes the file once and keeps only frames that a
later clip still needs. Only frames that a clip uses are converted to RGB (2-3x less work than all of them). They are given
out as players show them: turned by the file's display matrix, and all in the first frame's size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from jaxtyping import Float64, UInt8

from lfb_lightning.errors import InputError
from lfb_lightning.video.container import open_video, refuse_large_clip, why_unreadable
from lfb_lightning.video.frame_times import FirstFrame, TimedFrame, first_frame, timed
from lfb_lightning.video.key_pictures import decode_from_key_picture, is_key_picture
from lfb_lightning.video.length import counted_seconds, last_picture_ends, stated_seconds
from lfb_lightning.video.orientation import orientation_of
from lfb_lightning.video.protocol import VideoProperties, nearest_frames, refuse_early_end
from lfb_lightning.video.rolling import stream_from_frames

_SEEK_MARGIN_SECONDS = 0.5  # the frame before the wanted one may be the nearest; it must be decoded too
_OTHER_KEY_PICTURE_SECONDS = 10.0


class VideoFile:
    """A video file on disk; see `Video` for the two ways to read it. Raises InputError naming the file and second."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._reformatter = VideoReformatter()

    def clip(self, times: Float64[np.ndarray, " T"]) -> UInt8[np.ndarray, "T H W 3"]:
        """RGB frames at ascending times (seconds since the first frame), after a seek."""
        return self._clip(times, margin=_SEEK_MARGIN_SECONDS, skip=True)

    def clip_decoded_whole(self, times: Float64[np.ndarray, " T"]) -> UInt8[np.ndarray, "T H W 3"]:
        """What `clip` must give, found in another way: from a key picture further back, with no picture skipped."""
        return self._clip(times, margin=_OTHER_KEY_PICTURE_SECONDS, skip=False)

    def stream(
        self, clip_times: Float64[np.ndarray, "K T"], *, reach: float = 0.0
    ) -> Iterator[UInt8[np.ndarray, "T H W 3"]]:
        """RGB frames of clips ordered by their last time, each frame decoded once; see `Video` for `reach`."""
        first = first_frame(self.path)
        refuse_large_clip(self.path, clip_times.shape[-1], first.width, first.height)
        with open_video(self.path) as (container, stream):
            frames = self._frames(container, stream, first, np.unique(clip_times), after_seek=False)
            shown = ((entry.begin, entry.frame) for entry in self._reaching(frames, reach, container, stream, first))
            yield from stream_from_frames(shown, clip_times, lambda frame: self._rgb(frame, first), str(self.path))

    def properties(self) -> VideoProperties:
        """Length and rate as the container states them, size and rotation as the first frame is shown."""
        first = first_frame(self.path)
        with open_video(self.path) as (container, stream):
            seconds = stated_seconds(container, stream, first) or counted_seconds(container, stream, first)
            rate = float(first.rate or 0)
            rotation = first.orientation.rotation
            return VideoProperties(seconds, stream.frames or None, rate, first.width, first.height, rotation)

    def _clip(self, times: Float64[np.ndarray, " T"], *, margin: float, skip: bool) -> UInt8[np.ndarray, "T H W 3"]:
        first = first_frame(self.path)
        refuse_large_clip(self.path, len(times), first.width, first.height)
        clip = np.empty((len(times), first.height, first.width, 3), np.uint8)
        while not self._fill_after_seek(clip, times, float(times[0]) - margin, first, skip=skip):
            margin = 4 * margin + 1  # the seek led past the clip or to no true key picture: go back further
        return clip

    def _fill_after_seek(
        self,
        clip: UInt8[np.ndarray, "T H W 3"],
        times: Float64[np.ndarray, " T"],
        start: float,
        first: FirstFrame,
        *,
        skip: bool,
    ) -> bool:
        """Decode from a key picture before `start`, the file's start if negative; False if that led past the clip."""
        seeks = start > 0 and first.seekable
        with open_video(self.path) as (container, stream):
            if seeks and not _seek(container, stream, first, start):
                return False
            frames = self._frames(container, stream, first, times, after_seek=seeks, skip=skip)
            head = next(frames, None)
            if seeks and (head is None or head.begin > times[0] or not is_key_picture(head.frame)):
                return False
            if head is None:
                raise InputError(f"video {self.path}: no frame could be decoded at {times[0]:.2f} s.")
            last_stated = min(float(times[-1]), stated_seconds(container, stream, first))
            reaching = self._reaching(chain([head], frames), last_stated, container, stream, first)
            shown = ((entry.begin, entry.frame) for entry in reaching)
            previous: av.VideoFrame | None = None
            for index, frame in nearest_frames(shown, times):
                clip[index] = clip[index - 1] if frame is previous else self._rgb(frame, first)
                previous = frame
        return True

    def _frames(
        self,
        container: av.container.InputContainer,
        stream: av.VideoStream,
        first: FirstFrame,
        times: Float64[np.ndarray, " T"],
        *,
        after_seek: bool,
        skip: bool = True,
    ) -> Iterator[TimedFrame]:
        """Frames with their seconds; of those nearest to one of the ascending times, none is missing."""
        time_base = _time_base(stream)
        moments = None
        if skip and first.time_stamp is not None:
            moments = (times / float(time_base) + first.time_stamp).tolist()
        second = 0.0
        try:
            frames = decode_from_key_picture(container, stream, moments=moments, after_seek=after_seek)
            for entry in timed(frames, first, time_base, self.path):
                second = entry.begin
                yield entry
        except av.FFmpegError as error:
            raise InputError(
                f"video {self.path}: decoding stopped after {second:.2f} s: {why_unreadable(self.path, error)}."
            ) from error

    def _reaching(
        self,
        frames: Iterable[TimedFrame],
        reach: float,
        container: av.container.InputContainer,
        stream: av.VideoStream,
        first: FirstFrame,
    ) -> Iterator[TimedFrame]:
        """The frames; raises InputError if they run out long before second `reach`."""
        end = 0.0
        for entry in frames:
            end = entry.end
            yield entry
        if end < reach:
            end = last_picture_ends(self.path, container, stream, first, end)
        refuse_early_end(str(self.path), end, reach)

    def _rgb(self, frame: av.VideoFrame, first: FirstFrame) -> UInt8[np.ndarray, "H W 3"]:
        if frame.is_corrupt:
            raise InputError(f"video {self.path}: the frame at {frame.time or 0:.2f} s is damaged.")
        orientation = orientation_of(frame, self.path)
        width, height = (first.height, first.width) if orientation.swaps_sides else (first.width, first.height)
        stored = self._reformatter.reformat(frame, width=width, height=height, format="rgb24").to_ndarray()
        return orientation.show(stored)


def _seek(container: av.container.InputContainer, stream: av.VideoStream, first: FirstFrame, start: float) -> bool:
    """Go to the key picture before second `start`; False if this container cannot."""
    assert first.time_stamp is not None
    try:
        container.seek(first.time_stamp + int(start / _time_base(stream)), stream=stream, backward=True)
    except av.FFmpegError:  # no index, or none that reaches so far back: the caller begins at an earlier second
        return False
    return True


def _time_base(stream: av.VideoStream) -> Fraction:
    assert stream.time_base is not None, "refused when the file was opened"
    return stream.time_base
