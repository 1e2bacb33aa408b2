"""Decodes what some moments need, and skips the pictures that nothing refers to and nobody asked for.

Half to three quarters of the pictures of a usual H.264 file are referred to by no other one. A decoder may leave those
out at no cost to the rest, so before a packet is handed to it, its presentation time is compared with the wanted
moments. Which picture is nearest to a moment depends on its neighbours, and packets come in decoding order: a packet is
held until the times around it are known. What is in doubt (no time stamp, end of file) is decoded, and decoders for which
no test proves that skipping leaves the other frames as they are (AV1's does not) decode everything; so do those of
interlaced video, whose separate fields no encoder at hand writes.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

import av

EXACT_UNDER_SKIPPING = {"h264", "hevc", "vp8", "vp9", "mpeg2video"}  # each proven by tests/video/test_codecs.py
_LONGEST_WAIT = 64  # packets; no codec reorders further


class WantedMoments:
    """Which presentation times may be the nearest to one of the (ascending) moments, both in a stream's time base."""

    def __init__(self, moments: Sequence[float]) -> None:
        self._moments = list(moments)
        self._seen: list[int] = []

    def see(self, pts: int) -> None:
        """A picture of this time exists."""
        insort(self._seen, pts)

    def needs(self, pts: int) -> bool:
        """Whether a moment lies nearer to `pts` than to the other pictures seen."""
        place = bisect_left(self._seen, pts)
        before = self._seen[place - 1] if place else None
        after = next((seen for seen in self._seen[place : place + 2] if seen > pts), None)
        low = float("-inf") if before is None else (before + pts) / 2
        high = float("inf") if after is None else (pts + after) / 2
        first = bisect_left(self._moments, low)
        return first < len(self._moments) and self._moments[first] <= high

    def forget_before(self, pts: int) -> None:
        """Drop the times that no later question needs."""
        if (place := bisect_left(self._seen, pts)) > 1024:
            del self._seen[: place - 1]


def decode_needed(
    packets: Iterable[av.Packet], decoder: av.VideoCodecContext, moments: Sequence[float]
) -> Iterator[av.VideoFrame]:
    """Frames in presentation order; of those that are nearest to a moment, none is missing.

    A decoder that is not in `EXACT_UNDER_SKIPPING` decodes everything.
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
    """Every frame in presentation order, none skipped."""
    for packet in packets:
        yield from packet.decode()


def is_end(packet: av.Packet) -> bool:
    """Whether this is the empty packet that follows a stream's last one and makes the decoder give out its last frames."""
    return packet.size == 0 and packet.pts is None and packet.dts is None


def _is_settled(held: av.Packet, newest: av.Packet) -> bool:
    # No later packet is shown before it is decoded, so every time up to the newest decoding time is known.
    return held.pts is None or (newest.dts is not None and newest.dts > held.pts)


def _decode(packet: av.Packet, decoder: av.VideoCodecContext, wanted: WantedMoments) -> list[av.VideoFrame]:
    needed = packet.pts is None or wanted.needs(packet.pts)
    decoder.skip_frame = "DEFAULT" if needed else "NONREF"
    if packet.dts is not None:
        wanted.forget_before(packet.dts)
    return packet.decode()
