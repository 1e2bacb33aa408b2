"""Decoding from a key picture on, without the pictures around it that cannot be right.

Two kinds of picture come out of some decoders after a seek though they refer to pictures that were never decoded: those
before the first key picture (an index that points between two), and the leading pictures of an open GOP, which follow
the key picture in the file and are shown before it. Neither is given out here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

import av
from av.video.frame import PictureType

from lfb_lightning.video.selective import decode_all, decode_needed

# At a file's start other decoders leave out undecodable leading pictures by themselves, and give decodable ones.
_GIVES_BROKEN_LEADING_PICTURES = {"h264"}


def decode_from_key_picture(
    container: av.container.InputContainer,
    stream: av.VideoStream,
    *,
    moments: Sequence[float] | None,
    after_seek: bool,
) -> Iterator[av.VideoFrame]:
    """Frames in presentation order from the next key picture on.

    Args:
        container: an open file, at its start or after a seek.
        stream: its pictures.
        moments: ascending times in the stream's time base, without whose nearest frames others may be skipped; None
            decodes everything.
        after_seek: whether the container was moved, so that all leading pictures are in doubt.
    """
    packets = container.demux(stream)
    key = next((packet for packet in packets if packet.is_keyframe), None)
    if key is None:
        return
    rest = chain([key], packets)
    frames = decode_all(rest) if moments is None else decode_needed(rest, stream.codec_context, moments)
    in_doubt = after_seek or stream.codec_context.name in _GIVES_BROKEN_LEADING_PICTURES
    for frame in frames:
        leading = key.pts is not None and frame.pts is not None and frame.pts < key.pts
        if not (leading and in_doubt):
            yield frame


def is_key_picture(frame: av.VideoFrame) -> bool:
    """Whether the frame was decoded without any other, as the decoder says and not the container's index."""
    return frame.key_frame or frame.pict_type == PictureType.I
