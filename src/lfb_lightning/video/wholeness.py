"""Finding out from a container's outermost parts, without decoding, whether the end of a file is missing."""

from __future__ import annotations

import io

from lfb_lightning.files.objects.url import Place
from lfb_lightning.video.place import Bytes, open_bytes

_FIRST_BOXES = {b"ftyp", b"wide", b"free", b"skip", b"mdat", b"moov", b"pnot"}
_MOST_BOXES = 100_000  # of a fragmented file
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"


def why_cut_off(place: Place) -> str | None:
    """Say which part of an mp4, mov, mkv or webm file is missing; None if none is, or if the file is of another kind."""
    with open_bytes(place) as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        if file.read(4) == _EBML:
            return _segment_cut_off(file, size)
        return _boxes_cut_off(file, size)


def _boxes_cut_off(file: Bytes, size: int) -> str | None:
    """Look through an mp4 or mov file: it consists of boxes with a length and a name, and the box `moov` is its index."""
    names: set[bytes] = set()
    position = 0
    for number in range(_MOST_BOXES):
        file.seek(position)
        header = file.read(16)
        if len(header) < 8:
            break
        length, name = int.from_bytes(header[:4], "big"), header[4:8]
        if length == 1:
            length = int.from_bytes(header[8:], "big")
        if (number == 0 and name not in _FIRST_BOXES) or not name.isalnum() or 0 < length < 8:
            return None
        names.add(name)
        end = position + length if length else size
        if end > size:
            return f"{end - size:,} bytes of its box {name.decode()} are missing"
        position = end
    return "its index, the moov box, is missing" if names and b"moov" not in names else None


def _segment_cut_off(file: Bytes, size: int) -> str | None:
    """Look at an mkv or webm file: a header element and one segment, which states its length unless written to a pipe."""
    header = _length(file)
    if header is None or header > size:
        return None
    file.seek(header, 1)
    if file.read(4) != _SEGMENT or (length := _length(file)) is None:
        return None
    missing = file.tell() + length - size
    return f"{missing:,} bytes of its segment are missing" if missing > 0 else None


def _length(file: Bytes) -> int | None:
    """Read an EBML length, whose leading zero bits count the bytes that follow; None for "unknown" and at the file's end."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    value = int.from_bytes(bytes([first[0] & (0x7F >> more)]) + file.read(more), "big")
    return None if value == (1 << 7 * (more + 1)) - 1 else value
