"""Copying the stored pictures of a video into an mp4 file where browsers play them as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from lfb_lightning.video.container import OpenVideo, open_video, why_unreadable
from lfb_lightning.video.first_frame import FirstFrame, first_frame
from lfb_lightning.video.length import last_picture_ends, stated_seconds
from lfb_lightning.video.orientation import Orientation
from lfb_lightning.video.selective import is_end
from lfb_lightning.viz.video_encoding import mp4_file
from lfb_lightning.viz.video_sound import Sound

_FORMATS = {"mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "mpegts", "flv"}  # their packets have both time stamps
_PROFILES = {"Baseline", "Constrained Baseline", "Main", "High"}  # what every browser's H.264 decoder knows
_PIXELS = {"yuv420p", "yuvj420p"}
_MOST_REORDERED = 32  # H.264 allows 16 pictures
_SLACK_SECONDS = 1.0  # sound is often a little longer than the pictures


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied: the number of pictures, when the last one ends, and a line for each thing that is missing."""

    frames: int
    seconds: float
    problems: tuple[str, ...]


def early_end(video: OpenVideo, first: FirstFrame, end: float) -> str | None:
    """Say what is missing if the pictures end at `end` seconds, well before the header says; None if nothing is."""
    stated = stated_seconds(video, first)
    if stated - last_picture_ends(video, first, end) <= _SLACK_SECONDS:
        return None
    return (
        f"video {video.path}: its pictures end at {end:.1f} s of the {stated:.1f} s that its header states; copy or "
        "download it again."
    )


class _CannotBeCopied(Exception):
    """A packet cannot stand in an mp4 file as it is."""


def copy_for_browsers(source: Path, out: Path) -> Copied | None:
    """Copy a video into an mp4 file that starts with its first picture, if browsers can play its pictures.

    Args:
        source: The video.
        out: The mp4 file to write.

    Returns:
        What was copied; None if the pictures must be encoded again, and then nothing was written.

    Raises:
        InputError: The source cannot be opened, or the file cannot be written.
    """
    first = first_frame(source)
    with open_video(source) as video:
        if not _browsers_play(video, first):
            return None
        assert first.time_stamp is not None
        try:
            with (
                mp4_file(out) as container,
                Sound(source, container, start=Fraction(first.time_stamp) * video.time_base) as sound,
            ):
                frames, seconds, problem = _copy(video, first, container, sound)
        except _CannotBeCopied:
            return None
    return Copied(frames, seconds, tuple(line for line in (problem, sound.problem) if line is not None))


def _browsers_play(video: OpenVideo, first: FirstFrame) -> bool:
    codec = video.stream.codec_context
    return (
        codec.name == "h264"
        and codec.profile in _PROFILES
        and codec.pix_fmt in _PIXELS
        and video.format in _FORMATS
        and first.orientation == Orientation()
        and first.time_stamp is not None
    )


def _with_decoding_times(packets: Iterable[av.Packet]) -> Iterator[av.Packet]:
    """Give the first packets of a file decoding times, which Matroska does not store, from the first one that is known."""
    waiting: list[av.Packet] = []
    known = False
    for packet in packets:
        if is_end(packet):
            break
        waiting.append(packet)
        if packet.dts is None and not known:
            if len(waiting) > _MOST_REORDERED:
                raise _CannotBeCopied
            continue
        for number, early in enumerate(reversed(waiting)):
            if early.dts is None and packet.dts is not None:
                early.dts = packet.dts - number * max(early.duration or 0, 1)
        known = True
        yield from waiting
        waiting.clear()
    if waiting:  # no decoding time at all
        raise _CannotBeCopied


def _copy(video: OpenVideo, first: FirstFrame, container: Any, sound: Sound) -> tuple[int, float, str | None]:
    start = first.time_stamp
    assert start is not None
    target = container.add_stream_from_template(video.stream)
    unit, frames, end, last = float(video.time_base), 0, 0.0, None
    packets = _with_decoding_times(video.container.demux(video.stream))
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError as error:
            reason = why_unreadable(video.path, error)
            return frames, end, f"video {video.path}: is missing from {end:.1f} s on: {reason}."
        if packet is None:
            break
        if packet.pts is None or packet.dts is None or packet.is_discard:
            raise _CannotBeCopied
        if frames == 0 and not (packet.is_keyframe and packet.pts == start):
            raise _CannotBeCopied  # players would begin with another picture than the first that is shown
        if last is not None and packet.dts <= last:
            raise _CannotBeCopied
        last = packet.dts
        if packet.pts < start:
            continue  # leading pictures of an open GOP, which refer to pictures that are not there
        packet.pts, packet.dts = packet.pts - start, packet.dts - start
        frames, end = frames + 1, max(end, (packet.pts + (packet.duration or 0)) * unit)
        sound.write_until(packet.dts * unit)
        packet.stream = target
        container.mux_one(packet)
    sound.write_until(float("inf"))
    return frames, end, early_end(video, first, end)
