"""Containers of pictures as nested parts: the boxes of mp4, the chunks of AVI, the elements of Matroska, and so on."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.fuzzing.forms import join
from tests.fuzzing.mutators import Form

_BOXES = {b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl", b"edts", b"udta", b"mvex"}
_MASTERS = {
    bytes.fromhex(name)
    for name in ["1A45DFA3", "18538067", "114D9B74", "4DBB", "1549A966", "1654AE6B", "AE", "E0", "1F43B675"]
}
_MASTERS |= {bytes.fromhex(name) for name in ["1C53BB6B", "BB", "B7", "A0", "1254C367", "7373", "67C8"]}


def _boxes(content: bytes) -> list[Any]:
    parts, place = [], 0
    while place + 8 <= len(content):
        size = int.from_bytes(content[place : place + 4], "big")
        end = place + size if size >= 8 else len(content)
        name, body = content[place + 4 : place + 8], content[place + 8 : end]
        parts.append([name, _boxes(body) if name in _BOXES else body])
        place = end
    return parts


def _boxed(parts: Any) -> bytes:
    """A box of every list of a name and a body; anything else stands as it is."""
    if not isinstance(parts, list):
        return join(parts)
    if len(parts) != 2 or isinstance(parts[0], list):
        return b"".join(map(_boxed, parts))
    body = _boxed(parts[1])
    return (len(body) + 8).to_bytes(4, "big") + join(parts[0]) + body


def _chunks(content: bytes) -> list[Any]:
    parts, place = [], 0
    while place + 8 <= len(content):
        name, size = content[place : place + 4], int.from_bytes(content[place + 4 : place + 8], "little")
        body = content[place + 8 : place + 8 + size]
        parts.append([name, [body[:4], *_chunks(body[4:])] if name in (b"RIFF", b"LIST") else body])
        place += 8 + size + size % 2
    return parts


def _chunked(parts: Any) -> bytes:
    if not isinstance(parts, list):
        return join(parts)
    if len(parts) != 2 or isinstance(parts[0], list):
        return b"".join(map(_chunked, parts))
    body = _chunked(parts[1])
    return join(parts[0]) + len(body).to_bytes(4, "little") + body + bytes(len(body) % 2)


def _elements(content: bytes) -> list[Any]:
    parts, place = [], 0
    while place < len(content):
        name = content[place : place + 9 - content[place].bit_length()]
        place += len(name)
        width = 9 - content[place].bit_length() if place < len(content) else 1
        stated = int.from_bytes(content[place : place + width], "big") & ((1 << 7 * width) - 1)
        begin, place = place + width, place + width + stated
        parts.append([name, _elements(content[begin:place]) if name in _MASTERS else content[begin:place]])
    return parts


def _with_lengths(parts: Any) -> bytes:
    if not isinstance(parts, list):
        return join(parts)
    if len(parts) != 2 or isinstance(parts[0], list):
        return b"".join(map(_with_lengths, parts))
    body = _with_lengths(parts[1])
    return join(parts[0]) + (1 << 56 | len(body)).to_bytes(8, "big") + body


def _segments(content: bytes) -> list[Any]:
    """A JPEG's marker segments; what follows the last one is the compressed picture."""
    parts, place = [content[:2]], 2
    while content[place : place + 1] == b"\xff" and content[place + 1] != 0xDA:
        end = place + 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        parts.append(content[place:end])
        place = end
    return [*parts, content[place:]]


def _appended(tail: bytes) -> Any:
    return lambda content, chance: content + tail * chance.randint(1, 3)


def _with_comment(content: bytes, chance: Random) -> bytes:
    return content[:2] + b"\xff\xfe\x00\x09" + chance.randbytes(7).replace(b"\xff", b".") + content[2:]


MP4 = Form(_boxes, _boxed, equal=[_appended(b"\x00\x00\x00\x0cfree____")])
AVI = Form(_chunks, _chunked, equal=[_appended(b"JUNK\x04\x00\x00\x00____")])
MATROSKA = Form(_elements, _with_lengths)
TS = Form(
    lambda content: [content[place : place + 188] for place in range(0, len(content), 188)],
    join,
    equal=[_appended(b"\x47\x1f\xff\x10" + b"\xff" * 184)],  # packets of nothing
)
JPEG = Form(_segments, join, equal=[_with_comment])
BYTES = Form(lambda content: [content], join)
