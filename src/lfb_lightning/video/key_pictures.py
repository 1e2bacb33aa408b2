"""Decoding from a key picture on, leaving out pictures that cannot be right.

After a seek, some decoders output pictures that refer to others which were never decoded. There are two kinds: pictures
before the first key picture, where the container's index points between two key pictures, and the leading pictures of an
open GOP, which follow the key picture in the file but are shown before it. Both are left out here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import av
from av.video.frame import PictureType

from lfb_lightning.video.container import OpenVideo
from lfb_lightning.video.selective import decode_all, decode_needed

# Decoders that leave out by themselves, at a file's start, what they cannot decode ...
_LEAVES_OUT_WHAT_IS_BROKEN = {"h264", "hevc", "mpeg1video", "mpeg2video", "vp8", "vp9", "libdav1d"}
# ... except for leading pictures in the case of this one. The others have none there, or only some that can be decoded.
_GIVES_BROKEN_LEADING_PICTURES = {"h264"}


def decode_from_key_picture(
    video: OpenVideo, *, moments: Sequence[float] | None, after_seek: bool
) -> Iterator[av.VideoFrame]:
    """Decode frames in presentation order from the next key picture on.

    Args:
        video: An open file, at its start or after a seek.
        moments: Ascending times in the stream's time base. Frames that are nearest to none of them may be skipped; None
            decodes everything.
        after_seek: Whether the file was moved to another place, so that all leading pictures are in doubt.

    Yields:
        The frames, without those that refer to pictures before the key picture.
    """
    whole_start = not after_seek and video.decoder in _LEAVES_OUT_WHAT_IS_BROKEN
    leading_in_doubt = after_seek or video.decoder in _GIVES_BROKEN_LEADING_PICTURES
    last_before = key_time = float("-inf")  # leading pictures are shown between these two

    def from_key_picture() -> Iterator[av.Packet]:
        nonlocal last_before, key_time
        found = False
        for packet in video.container.demux(video.stream):
            if not found and packet.is_keyframe:
                found, key_time = True, float("-inf") if packet.pts is None else packet.pts
            elif not found and whole_start and packet.pts is not None:
                last_before = max(last_before, packet.pts)
            if found or whole_start:
                yield packet

    packets = from_key_picture()
    frames = decode_all(packets) if moments is None else decode_needed(packets, video.stream.codec_context, moments)
    for frame in frames:
        if not (leading_in_doubt and frame.pts is not None and last_before < frame.pts < key_time):
            yield frame


def is_key_picture(frame: av.VideoFrame) -> bool:
    """Tell whether a frame was decoded independently of others, by the decoder and not by the container's index."""
    return frame.key_frame or frame.pict_type == PictureType.I
