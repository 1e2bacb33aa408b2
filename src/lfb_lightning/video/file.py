"""Frames of a video file, decoded with PyAV by presentation time.

Both ways of reading follow one rule: a time picks the frame whose presentation time, counted from the first frame, is
nearest. Random access seeks to a key picture before the clip; streaming decodes the file once and keeps only the frames
that a later clip still needs. Only frames that a clip uses are converted to RGB, which is 2-3 times less work than
converting all. They are returned as players show them: turned by the file's display matrix, and all in the first frame's
size.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import numpy as np
from av.video.reformatter import VideoReformatter
from jaxtyping import Float64, UInt8

from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.url import Place, place_of
from lfb_lightning.video.container import open_video, refuse_large_clip
from lfb_lightning.video.first_frame import FirstFrame, first_frame
from lfb_lightning.video.key_pictures import is_key_picture
from lfb_lightning.video.length import counted_seconds, stated_seconds
from lfb_lightning.video.orientation import orientation_of
from lfb_lightning.video.protocol import VideoProperties, nearest_frames
from lfb_lightning.video.rolling import stream_from_frames
from lfb_lightning.video.timed_frames import TimedFrame, reaching, seek_before, timed_frames

_SEEK_MARGIN_SECONDS = 0.5  # the frame before a time may be the nearest one, so it must be decoded too
_OTHER_KEY_PICTURE_SECONDS = 10.0


class VideoFile:
    """A video file on disk or in an object store; it keeps the `Video` protocol.

    Args:
        path: The file, or the URL of an object. Whatever is wrong with it is raised as InputError, with the file and the
            second, when it is read.
    """

    def __init__(self, path: str | Place) -> None:
        self.path: Place = place_of(path, "video")
        self._reformatter = VideoReformatter()

    def clip(self, times: Float64[np.ndarray, " T"]) -> UInt8[np.ndarray, "T H W 3"]:
        """Read one clip after a seek; see `Video.clip`.

        Args:
            times: Ascending times in seconds since the first frame, float64 `[T]`.

        Returns:
            The nearest frames, RGB uint8 `[T, H, W, 3]`.

        Raises:
            InputError: The file cannot be opened or decoded, or is cut off.
        """
        return self._clip(times, margin=_SEEK_MARGIN_SECONDS, skip=True)

    def clip_decoded_whole(self, times: Float64[np.ndarray, " T"]) -> UInt8[np.ndarray, "T H W 3"]:
        """Read one clip from an earlier key picture and without skipping any, as an independent check of `clip`."""
        return self._clip(times, margin=_OTHER_KEY_PICTURE_SECONDS, skip=False)

    def stream(
        self, clip_times: Float64[np.ndarray, "K T"], *, reach: float = 0.0
    ) -> Iterator[UInt8[np.ndarray, "T H W 3"]]:
        """Read many clips in one pass, each frame decoded once; see `Video.stream`."""
        first = first_frame(self.path)
        refuse_large_clip(self.path, clip_times.shape[-1], first.width, first.height)
        with open_video(self.path) as video:
            frames = reaching(timed_frames(video, first, np.unique(clip_times), after_seek=False), video, first, reach)
            shown = ((entry.begin, entry) for entry in frames)
            yield from stream_from_frames(shown, clip_times, lambda entry: self._rgb(entry, first), str(self.path))

    def properties(self) -> VideoProperties:
        """Return length and rate as the container states them, size and rotation as the first frame is shown."""
        first = first_frame(self.path)
        with open_video(self.path) as video:
            seconds = stated_seconds(video, first) or counted_seconds(video, first)
            return VideoProperties(
                seconds=seconds,
                frames=video.stream.frames or None,
                fps=float(first.rate or 0),
                width=first.width,
                height=first.height,
                rotation=first.orientation.rotation,
            )

    def _clip(self, times: Float64[np.ndarray, " T"], *, margin: float, skip: bool) -> UInt8[np.ndarray, "T H W 3"]:
        first = first_frame(self.path)
        refuse_large_clip(self.path, len(times), first.width, first.height)
        clip = np.empty((len(times), first.height, first.width, 3), np.uint8)
        while not self._fill_after_seek(clip, times, float(times[0]) - margin, first, skip=skip):
            margin = 4 * margin + 1  # the seek ended after the clip's start or not at a key picture: go back further
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
        """Decode from a key picture before second `start`, or from the file's start if that is negative.

        Returns False if decoding began after the clip's first time.
        """
        seeks = start > 0 and first.seekable
        with open_video(self.path) as video:
            if seeks and not seek_before(video, first, start):
                return False
            frames = timed_frames(video, first, times if skip else None, after_seek=seeks)
            head = next(frames, None)
            if seeks and (head is None or head.begin > times[0] or not is_key_picture(head.frame)):
                return False
            if head is None:
                raise InputError(f"video {self.path}: no frame could be decoded at {times[0]:.2f} s.")
            last_stated = min(float(times[-1]), stated_seconds(video, first))
            shown = ((entry.begin, entry) for entry in reaching(chain([head], frames), video, first, last_stated))
            previous: TimedFrame | None = None
            for index, entry in nearest_frames(shown, times):
                clip[index] = clip[index - 1] if entry is previous else self._rgb(entry, first)
                previous = entry
        return True

    def _rgb(self, entry: TimedFrame, first: FirstFrame) -> UInt8[np.ndarray, "H W 3"]:
        """Convert a frame to RGB as players show it, in the first frame's size."""
        if entry.frame.is_corrupt:
            raise InputError(f"video {self.path}: the frame at {entry.begin:.2f} s is damaged.")
        orientation = orientation_of(entry.frame, self.path)
        width, height = (first.height, first.width) if orientation.swaps_sides else (first.width, first.height)
        stored = self._reformatter.reformat(entry.frame, width=width, height=height, format="rgb24")
        return orientation.show(stored.to_ndarray())
