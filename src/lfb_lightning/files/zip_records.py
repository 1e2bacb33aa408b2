"""Finding the records of an uncompressed zip file, as `torch.save` writes it.

The standard library's `zipfile` makes an object of half a kilobyte for each entry that a file claims to have, and a feature
bank of torch tensors has a million of them. Nothing is unpacked here, so nothing can be larger than the file.
"""

from __future__ import annotations

import mmap
import zipfile
from pathlib import Path
from struct import Struct

from lfb_lightning.errors import InputError

_END, _END_SIGNATURE = Struct("<4s4H2LH"), b"PK\x05\x06"
_LOCATOR, _LOCATOR_SIGNATURE = Struct("<4sLQL"), b"PK\x06\x07"
_END_64, _END_64_SIGNATURE = Struct("<4sQ2H2L4Q"), b"PK\x06\x06"
_ENTRY, _ENTRY_SIGNATURE = Struct("<4s6H3L5H2L"), b"PK\x01\x02"
_LOCAL, _LOCAL_SIGNATURE = Struct("<4s5H3L2H"), b"PK\x03\x04"
_LONGEST_COMMENT = 1 << 16
_SEE_ZIP64 = 0xFFFFFFFF


def is_zip(path: Path) -> bool:
    """Tell whether a file ends as a zip file does, damaged or not; the standard library raises on some damaged ends."""
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:
        return True


class ZipRecords:
    """The records of a memory-mapped zip file, by name.

    Args:
        content: The mapped file.

    Raises:
        InputError: The file is damaged; the message does not name it.
    """

    def __init__(self, content: mmap.mmap) -> None:
        self._content = content
        self._places: dict[bytes, tuple[int, int]] = {}  # of the local header, and the record's size
        place, end = self._directory()
        while place < end:
            entry = self._unpack(_ENTRY, _ENTRY_SIGNATURE, place)
            method, packed, size, name_length, extra_length, comment_length = *entry[4:5], *entry[8:13]
            begin, place = place + _ENTRY.size, place + _ENTRY.size + name_length + extra_length + comment_length
            name = content[begin : begin + name_length]
            if method != 0:
                raise InputError(f"its record {name[:50]!r} is compressed, which torch.save does not do")
            extra = content[begin + name_length : begin + name_length + extra_length]
            size, _, offset = _large_numbers(extra, [size, packed, entry[-1]])
            self._places[name] = (offset, size)

    @property
    def names(self) -> list[bytes]:
        """The records' names."""
        return list(self._places)

    def find(self, name: bytes) -> tuple[int, int]:
        """Return the bytes at which a record begins and ends; raises InputError if it is missing or cut off."""
        if name not in self._places:
            raise InputError(f"it has no record {name[:50]!r}")
        header, size = self._places[name]
        *_, name_length, extra_length = self._unpack(_LOCAL, _LOCAL_SIGNATURE, header)
        begin = header + _LOCAL.size + name_length + extra_length
        if begin + size > len(self._content):
            raise InputError(f"its record {name[:50]!r} of {size} bytes is cut off")
        return begin, begin + size

    def _directory(self) -> tuple[int, int]:
        """Return the bytes at which the list of all records begins and ends."""
        place = self._content.rfind(_END_SIGNATURE, max(0, len(self._content) - _LONGEST_COMMENT - _END.size))
        if place < 0:
            raise InputError("it is cut off: the end of the zip file is missing")
        *_, size, offset, _ = self._unpack(_END, _END_SIGNATURE, place)
        locator = place - _LOCATOR.size
        if locator >= 0 and self._content[locator : locator + 4] == _LOCATOR_SIGNATURE:
            _, _, place_64, _ = self._unpack(_LOCATOR, _LOCATOR_SIGNATURE, locator)
            *_, size, offset = self._unpack(_END_64, _END_64_SIGNATURE, place_64)
        if offset + size > len(self._content):
            raise InputError("it is cut off: its list of records lies beyond its end")
        return offset, offset + size

    def _unpack(self, layout: Struct, signature: bytes, place: int) -> tuple:
        if place + layout.size > len(self._content):
            raise InputError("it is cut off: its list of records lies beyond its end")
        found = layout.unpack_from(self._content, place)
        if found[0] != signature:
            raise InputError(f"it is damaged: no record begins at byte {place}")
        return found


def _large_numbers(extra: bytes, numbers: list[int]) -> list[int]:
    """Return the numbers of an entry, taking those that do not fit into 32 bits from its extra fields."""
    place = 0
    while _SEE_ZIP64 in numbers and place + 4 <= len(extra):
        kind, length = (
            int.from_bytes(extra[place : place + 2], "little"),
            int.from_bytes(extra[place + 2 : place + 4], "little"),
        )
        if kind == 1:
            wide = iter(range(place + 4, place + 4 + length, 8))
            return [
                int.from_bytes(extra[(at := next(wide, len(extra))) : at + 8], "little")
                if number == _SEE_ZIP64
                else number
                for number in numbers
            ]
        place += 4 + length
    return numbers
