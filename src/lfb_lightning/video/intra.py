"""Whether a packet's picture can be decoded alone, by its own first bytes and not by what the container says of it.

A container calls some pictures key pictures that are not: with intra refresh, those from which a decoder recovers within a
second. A reader that begins at such a one gives wrong pictures, so that every picture at which it may begin is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

_ALWAYS = frozenset({"mjpeg", "prores"})  # every picture is
_H264_SLICE, _H264_IDR = 1, 5
_HEVC_PICTURES, _HEVC_INTRA = range(32), range(16, 22)
_AV1_FRAMES = (3, 6)


def is_intra(packet: bytes, *, decoder: str, extradata: bytes) -> bool:
    """Tell whether a picture refers to no other one; False where that cannot be seen.

    Args:
        packet: As MP4 and Matroska hold it.
        decoder: FFmpeg's name of the decoder; one that `judges` knows.
        extradata: The stream's own header.
    """
    try:
        return decoder in _ALWAYS or _TESTS[decoder](packet, extradata)
    except IndexError:  # shorter than it says
        return False


def judges(decoder: str) -> bool:
    """Tell whether `is_intra` knows the pictures of a decoder."""
    return decoder in _ALWAYS or decoder in _TESTS


def _h264(packet: bytes, extradata: bytes) -> bool:
    for unit in _units(packet, length_bytes=(extradata[4] & 3) + 1 if extradata[0] == 1 else 0):
        kind = packet[unit] & 0x1F
        if kind == _H264_IDR:
            return True
        if kind == _H264_SLICE:  # the first macroblock is 0, one bit; then the slice's type, 2 or 7 for intra
            return packet[unit + 1] >> 4 == 0b1011 or packet[unit + 1] == 0b10001000
    return False


def _hevc(packet: bytes, extradata: bytes) -> bool:
    for unit in _units(packet, length_bytes=(extradata[21] & 3) + 1 if extradata[0] == 1 else 0):
        if (kind := packet[unit] >> 1 & 0x3F) in _HEVC_PICTURES:
            return kind in _HEVC_INTRA
    return False


def _units(packet: bytes, *, length_bytes: int) -> Iterator[int]:
    """Give the place of each unit's first byte, in packets whose units begin with their length; none in other packets."""
    place = 0
    while length_bytes and place + length_bytes < len(packet):
        yield place + length_bytes
        place += length_bytes + int.from_bytes(packet[place : place + length_bytes], "big")


def _vp8(packet: bytes, extradata: bytes) -> bool:
    return not packet[0] & 1


def _vp9(packet: bytes, extradata: bytes) -> bool:
    shift = 2 if packet[0] >> 4 & 3 != 3 else 1  # the fourth profile has a bit more before
    return packet[0] >> 6 == 2 and packet[0] >> shift & 3 == 0  # neither an earlier picture again nor one that refers


def _av1(packet: bytes, extradata: bytes) -> bool:
    place = 0
    while place < len(packet):
        header = packet[place]
        place += 2 if header & 4 else 1
        size, shift = len(packet) - place, 0
        if header & 2:
            size = 0
            while True:  # seven bits at a time
                size |= (packet[place] & 0x7F) << shift
                place, shift, more = place + 1, shift + 7, packet[place] & 0x80
                if not more or shift > 56:
                    break
        if header >> 3 & 15 in _AV1_FRAMES:
            return packet[place] >> 5 == 0  # shown anew, and a key picture
        place += size
    return False


_TESTS: Mapping[str, Callable[[bytes, bytes], bool]] = MappingProxyType(
    {"h264": _h264, "hevc": _hevc, "vp8": _vp8, "vp9": _vp9, "libdav1d": _av1}
)
