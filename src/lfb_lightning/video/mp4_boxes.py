"""Tells from the boxes of an mp4 or mov file whether its end is missing."""

from __future__ import annotations

from pathlib import Path

_FIRST_BOXES = {b"ftyp", b"wide", b"free", b"skip", b"mdat", b"moov", b"pnot"}
_MOST_BOXES = 100_000  # of a fragmented file


def why_cut_off(path: Path) -> str | None:
    """Which part of an mp4 or mov file is missing; None if none is, or if the file is of another kind."""
    size = path.stat().st_size
    names: set[bytes] = set()
    position = 0
    with path.open("rb") as file:
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
