"""Decoding only what the wanted moments need, by skipping pictures that no other picture refers to.

In a usual H.264 file, half to three quarters of the pictures are not referred to by others. A decoder may skip those
without changing the rest, so each packet's presentation time is compared with the wanted moments before it is decoded.
Which picture is nearest to a moment depends on its neighbors, and packets come in decoding order, so a packet is held back
until the times around it are known.

Everything is decoded where that is in doubt: pictures without a time stamp or at the end of the file; decoders for which no
test proves that skipping leaves the other frames unchanged (AV1's does change them); and interlaced video, for which no
test exists, since no encoder at hand writes separate fields.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import av

EXACT_UNDER_SKIPPING = {"h264", "hevc", "vp8", "vp9", "mpeg2video"}  # each proven by tests/video/test_codecs.py
_LONGEST_WAIT = 64  # packets; no codec reorders pictures over a longer distance


class WantedMoments:
    """Decides which pictures may be the nearest to one of the wanted moments.

    Args:
        moments: Ascending times in the stream's time base, as are the presentation times (`pts`) of pictures.
    """

    def __init__(self, moments: Sequence[float]) -> None:
        self._moments = list(moments)
        self._seen: list[int] = []

    def see(self, pts: int) -> None:
        """Note that a picture with this presentation time exists."""
        insort(self._seen, pts)

    def needs(self, pts: int) -> bool:
        """Tell whether a moment lies nearer to this picture than to the other pictures that were noted."""
        place = bisect_left(self._seen, pts)
        before = self._seen[place - 1] if place else None
        after = next((seen for seen in self._seen[place : place + 2] if seen > pts), None)
        low = float("-inf") if before is None else (before + pts) / 2
        high = float("inf") if after is None else (pts + after) / 2
        first = bisect_left(self._moments, low)
        return first < len(self._moments) and self._moments[first] <= high

    def forget_before(self, pts: int) -> None:
        """Drop noted times before `pts` that no later call needs."""
        if (place := bisect_left(self._seen, pts)) > 1024:
            del self._seen[: place - 1]


def decode_needed(
    packets: Iterable[av.Packet], decoder: av.VideoCodecContext, moments: Sequence[float]
) -> Iterator[av.VideoFrame]:
    """Decode at least the frames that are nearest to one of the moments.

    Args:
        packets: Packets in decoding order, with the empty one at the end.
        decoder: The stream's decoder. One that is not in `EXACT_UNDER_SKIPPING` decodes everything.
        moments: Ascending times in the stream's time base.

    Yields:
        Frames in presentation order.
    """
    if decoder.name not in EXACT_UNDER_SKIPPING:
        yield from decode_all(packets)
        return
    wanted = WantedMoments(moments)
    held: deque[av.Packet] = deque()
    for packet in packets:
        held.append(packet)
        if packet.pts is not None:
            wanted.see(packet.pts)
        while held and (is_end(packet) or _is_settled(held[0], packet) or len(held) > _LONGEST_WAIT):
            yield from _decode(held.popleft(), decoder, wanted)


def decode_all(packets: Iterable[av.Packet]) -> Iterator[av.VideoFrame]:
    """Decode every frame, in presentation order."""
    for packet in packets:
        yield from packet.decode()


def is_end(packet: av.Packet) -> bool:
    """Tell whether this is the empty packet after a stream's last one, which makes the decoder output its last frames."""
    return packet.size == 0 and packet.pts is None and packet.dts is None


def _is_settled(held: av.Packet, newest: av.Packet) -> bool:
    # No picture is shown before it is decoded, so all presentation times up to the newest decoding time are known.
    return held.pts is None or (newest.dts is not None and newest.dts > held.pts)


def _decode(packet: av.Packet, decoder: av.VideoCodecContext, wanted: WantedMoments) -> list[av.VideoFrame]:
    needed = packet.pts is None or wanted.needs(packet.pts)
    decoder.skip_frame = "DEFAULT" if needed else "NONREF"
    if packet.dts is not None:
        wanted.forget_before(packet.dts)
    return packet.decode()
