"""One pass over a video file that finds what may disagree with its annotations: changes of size, gaps in its time stamps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lfb_lightning.files.objects.url import Place, place_of
from lfb_lightning.video.container import open_video
from lfb_lightning.video.first_frame import FirstFrame, first_frame
from lfb_lightning.video.selective import is_end

_SIZE_CHANGES_AT_ANY_PICTURE = {"vp8", "vp9", "av1", "libdav1d"}  # other codecs change it at key pictures only
_GAP_FRAMES = 2.5  # a step between two frames is a gap if it is longer than so many usual ones


class SizeChange(NamedTuple):
    """A change of the picture size inside a file.

    Args:
        second: From this second on, pictures are stored in the new size.
        width: The new width in pixels.
        height: The new height in pixels.
    """

    second: float
    width: int
    height: int


class Gap(NamedTuple):
    """A gap in the time stamps of a file.

    Args:
        second: Where the last frame before the gap begins.
        seconds: How long it is until the next frame begins.
    """

    second: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Survey:
    """What one pass over a file found; seconds count from the first frame.

    Args:
        frames: The number of frames, counted.
        seconds: When the last frame ends.
        size_changes: Where the picture size changes.
        gaps: Steps between frames that are much longer than the usual one.
        without_time_stamp: The number of frames without a time stamp.
    """

    frames: int
    seconds: float
    size_changes: tuple[SizeChange, ...]
    gaps: tuple[Gap, ...]
    without_time_stamp: int


def survey(path: str | Place, *, every_picture: bool = True) -> Survey:
    """Read a file once; only key pictures are decoded where the codec can change the picture size only there.

    Args:
        path: The file.
        every_picture: Whether all pictures are decoded for the other codecs. Otherwise, changes of size between key pictures
            are not noticed.

    Raises:
        InputError: The file cannot be read.
    """
    path = place_of(path, "video")
    first = first_frame(path)
    packets: list[tuple[int, int]] = []  # time stamp, duration
    changes: list[SizeChange] = []
    missing = 0
    with open_video(path) as video:
        unit = float(video.time_base)
        only_key_pictures = not every_picture
        if video.decoder not in _SIZE_CHANGES_AT_ANY_PICTURE:
            only_key_pictures = False  # the decoder skips the others, and knows key pictures better than the container
            video.stream.codec_context.skip_frame = "NONKEY"
        size: tuple[int, int] | None = None
        for packet in video.container.demux(video.stream):
            if packet.pts is not None and not packet.is_discard:
                packets.append((packet.pts, packet.duration or 0))
            elif not is_end(packet):
                missing += packet.pts is None
            if only_key_pictures and not (packet.is_keyframe or is_end(packet)):
                continue
            for frame in packet.decode():
                if size is not None and size != (frame.width, frame.height):
                    second = ((frame.pts or 0) - (first.time_stamp or 0)) * unit
                    changes.append(SizeChange(second, frame.width, frame.height))
                size = frame.width, frame.height
    return _survey(first, np.array(packets, np.int64).reshape(-1, 2), unit, tuple(changes), missing)


def _survey(
    first: FirstFrame, packets: np.ndarray, unit: float, changes: tuple[SizeChange, ...], missing: int
) -> Survey:
    shown = packets[packets[:, 0] >= first.time_stamp] if first.time_stamp is not None else packets[:0]
    if len(shown) == 0 or first.time_stamp is None:
        frames = len(packets) + missing
        return Survey(frames, frames / float(first.rate) if first.rate is not None else 0.0, changes, (), frames)
    shown = shown[np.argsort(shown[:, 0], kind="stable")]
    begins, lasts = (shown[:, 0] - first.time_stamp) * unit, shown[:, 1] * unit
    steps = np.diff(begins)
    usual = float(np.median(steps)) if len(steps) else 0.0
    holes = np.flatnonzero(steps > _GAP_FRAMES * usual)  # in mp4, the frame before a gap has a long duration
    gaps = tuple(Gap(float(begins[hole]), float(steps[hole])) for hole in holes)
    return Survey(len(shown) + missing, float(begins[-1] + (lasts[-1] or usual)), changes, gaps, missing)
