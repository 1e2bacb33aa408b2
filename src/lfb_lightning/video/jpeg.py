"""Reading JPEG files that are not trusted: no other form of picture is decoded, and none that is too large for a frame."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from lfb_lightning.errors import InputError
from lfb_lightning.video.container import MOST_PIXELS

_MOST_BYTES = 1 << 26
_MOST_SCANS = 1000  # a progressive JPEG has about ten; each is a pass over the picture (9 ms for MOST_PIXELS)
_START_OF_SCAN = b"\xff\xda"  # not in compressed data except as the marker; by chance once in 65 kB of other data
_END_OF_IMAGE = b"\xff\xd9"
_TAIL_BYTES = 64  # some programs write a few bytes after the end
_ORIENTATION = 0x0112  # of EXIF
_UPRIGHT: dict[object, Image.Transpose] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_EXTRACT_AGAIN = "extract the video's frames again"
# Windows lacks the second one, others the third.
_READING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_TURNED = (5, 6, 7, 8)  # width and height change places


def read_jpeg(path: Path) -> UInt8[np.ndarray, "H W 3"]:
    """Read the upright picture of a file.

    Args:
        path: The file.

    Returns:
        RGB, uint8 `[H, W, 3]`.

    Raises:
        InputError: The file is not one whole JPEG, or too large.
    """
    with _open_regular(path) as file:
        return decode_jpeg(file.read(), f"frame {path}", remedy=_EXTRACT_AGAIN)


def decode_jpeg(content: bytes, name: str, *, remedy: str) -> UInt8[np.ndarray, "H W 3"]:
    """Decode a JPEG and turn it as its EXIF orientation says, as OpenCV, browsers and annotation tools do.

    Args:
        content: The file's bytes.
        name: What the picture is called at the beginning of messages.
        remedy: What to do about a bad picture, for the end of messages.

    Returns:
        RGB, uint8 `[H, W, 3]`.

    Raises:
        InputError: It is not a JPEG, it is cut off, or decoding it would take too much memory or time.
    """
    if (scans := content.count(_START_OF_SCAN)) > _MOST_SCANS:
        raise InputError(f"{name}: {scans} scans, expected at most {_MOST_SCANS} in a JPEG; {remedy}.")
    with _jpeg(BytesIO(content), name, remedy) as image:
        turn = _UPRIGHT.get(_orientation(image))
        upright = image if turn is None else image.transpose(turn)
        return np.asarray(upright.convert("RGB"))


def size_of_whole_jpeg(path: Path) -> tuple[int, int]:
    """Return the size as `jpeg_size` does, and raise InputError if the picture is cut off.

    Only a file without a JPEG's end marker is decoded to find out.
    """
    size = jpeg_size(path)
    with _open_regular(path) as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
        if _END_OF_IMAGE not in file.read():
            read_jpeg(path)
    return size


def jpeg_size(path: Path) -> tuple[int, int]:
    """Return width and height of the upright picture, from the file's header alone; raises InputError as `read_jpeg` does."""
    with _open_regular(path) as file, _jpeg(file, f"frame {path}", _EXTRACT_AGAIN) as image:
        width, height = image.size
        return (height, width) if _orientation(image) in _TURNED else (width, height)


@contextmanager
def _open_regular(path: Path) -> Iterator[BufferedReader]:
    """Open a regular file of limited size, without waiting for the other end of a pipe."""
    try:
        with os.fdopen(os.open(path, _READING), "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise InputError(f"frame {path}: is no regular file; {_EXTRACT_AGAIN}.")
            if found.st_size > _MOST_BYTES:
                size, most = found.st_size / 1e6, _MOST_BYTES / 1e6
                raise InputError(f"frame {path}: {size:.1f} MB, expected at most {most:.0f}; {_EXTRACT_AGAIN}.")
            yield file
    except OSError as error:
        raise InputError(f"frame {path}: cannot be read ({error.strerror}); {_EXTRACT_AGAIN}.") from error


@contextmanager
def _jpeg(file: BufferedReader | BytesIO, name: str, remedy: str) -> Iterator[JpegImageFile]:
    """Read a picture's header; unlike `Image.open`, no other format and no picture of hundreds of megabytes is accepted."""
    try:
        image = JpegImageFile(file)
        with image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise InputError(f"{name}: {width}x{height} pixels, expected at most {MOST_PIXELS:,}; make it smaller.")
            yield image
    # What Pillow raised on half a million mutated JPEGs; it raises SyntaxError for a foreign or damaged header.
    except (OSError, SyntaxError, struct.error) as error:
        raise InputError(f"{name}: cannot be read ({error}); {remedy}.") from error


def _orientation(image: JpegImageFile) -> object:
    """Return the EXIF orientation: 1 to 8 in a correct file; anything else means upright, as it does to OpenCV."""
    return image.getexif().get(_ORIENTATION)
