"""The times of all frames of a video file, found without decoding it; files whose frames would be in doubt are refused.

For a reader that is given numbers of frames and not times. What is refused is read by `VideoFile`, which is the default.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.url import Place
from lfb_lightning.video.container import OpenVideo, open_video
from lfb_lightning.video.first_frame import FirstFrame, first_frame
from lfb_lightning.video.intra import is_intra, judges
from lfb_lightning.video.length import last_picture_ends, stated_seconds
from lfb_lightning.video.orientation import Orientation

_CONTAINERS = ("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm")


@dataclass(frozen=True, slots=True)
class FrameTable:
    """The frames of a file in the order in which they are shown.

    Args:
        begins: When each is first shown, in seconds since the first one.
        stamps: The same in seconds of the container's own clock.
        unit: The unit of that clock in seconds.
        end: When the last one is no longer shown, in seconds since the first one.
        stated: The length that the header states; 0 where it states none.
        first: The first one.
        version: What tells the file from another one of its name, or a later state of it: `version_of`.
    """

    begins: Float64[np.ndarray, " N"]
    stamps: Float64[np.ndarray, " N"]
    unit: float
    end: float
    stated: float
    first: FirstFrame
    version: tuple[int, ...]

    def nearest(self, times: Float64[np.ndarray, "*shape"]) -> np.ndarray:
        """Find the number of the frame that is nearest to each time, the earlier of two: see `video.protocol`."""
        return np.searchsorted((self.begins[:-1] + self.begins[1:]) / 2, times, side="left")


def frame_table(path: Path) -> FrameTable:
    """List the frames of a file, once per process for one that does not change.

    Raises:
        InputError: The file cannot be read, or what `VideoFile` does with its pictures is more than giving them by number.
    """
    return _read_table(path, version_of(path.stat()) if path.is_file() else ())


def version_of(status: os.stat_result) -> tuple[int, ...]:
    """Tell a file from any other one, and from what it was before it was written to."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


@lru_cache(maxsize=64)
def _read_table(path: Path, version: tuple[int, ...]) -> FrameTable:
    first = first_frame(path)
    with open_video(path) as video:
        if (reason := _why_refused(video, first)) is not None:
            raise refusal(path, reason)
        assert first.time_stamp is not None
        stamps, end = _read_stamps(video, first)
        unit, units = video.time_base.as_integer_ratio()
        return FrameTable(
            begins=(stamps - first.time_stamp) * unit / units,
            stamps=stamps * unit / units,
            unit=float(video.time_base),
            end=last_picture_ends(video, first, end),
            stated=stated_seconds(video, first),
            first=first,
            version=version,
        )


def refusal(path: Place, reason: str) -> InputError:
    """Word that a file is one for the default reader."""
    return InputError(
        f"video {path}: data.decoder=torchcodec does not read it ({reason}); use data.decoder=pyav, which does, or convert "
        "it: `ffmpeg -i IN -c:v libx264 -pix_fmt yuv420p OUT.mp4`."
    )


def _why_refused(video: OpenVideo, first: FirstFrame) -> str | None:
    if video.format not in _CONTAINERS:
        return f"a container of the form {video.format.partition(',')[0]}, not MP4, MOV, Matroska or WebM"
    if not judges(video.decoder):
        return f"{video.decoder} pictures, not H.264, HEVC, VP8, VP9, AV1, Motion JPEG or ProRes"
    if first.time_stamp is None or not first.seekable:
        return "no time stamps that can be used"
    if first.orientation != Orientation():
        return "its pictures are to be turned"
    if first.interlaced:
        return "its pictures are interlaced"
    return None


def _read_stamps(video: OpenVideo, first: FirstFrame) -> tuple[np.ndarray, float]:
    """Read the time stamps of all pictures that are shown, ascending, and the second at which the last one ends."""
    path, context = video.path, video.stream.codec_context
    extradata, usual = bytes(context.extradata or b""), float(1 / first.rate) if first.rate is not None else 0.0
    stamps: list[int] = []
    end = 0.0
    for packet in video.container.demux(video.stream):
        if packet.size == 0:
            continue
        if packet.pts is None or packet.is_corrupt:
            raise refusal(path, "a picture is damaged or has no time stamp")
        if packet.is_keyframe and not is_intra(bytes(packet), decoder=video.decoder, extradata=extradata):
            raise refusal(path, "pictures that it calls key pictures need others, as with intra refresh")
        if packet.is_discard:
            continue  # an edit list leaves it out
        stamps.append(packet.pts)
        lasts = float(packet.duration * video.time_base) if packet.duration else usual
        end = max(end, float((packet.pts - (first.time_stamp or 0)) * video.time_base) + lasts)
    ordered = np.array(sorted(stamps), dtype=np.int64)
    if len(ordered) == 0 or ordered[0] != first.time_stamp or (np.diff(ordered) <= 0).any():
        raise refusal(path, "its first pictures cannot be decoded, or two are shown at one time")
    return ordered, end
