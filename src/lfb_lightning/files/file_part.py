"""A part of a file or object that is read as if it were a file of its own, such as a member of an archive."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import RawIOBase

import numpy as np

from lfb_lightning.files.objects.ranged_file import RangedFile
from lfb_lightning.files.objects.url import Place, Url
from lfb_lightning.files.safetensors_header import NUMPY, TensorSpan


@dataclass(frozen=True, slots=True)
class FilePart:
    """Where a part lies.

    Args:
        path: The file, or the URL of an object.
        begin: The byte of it at which the part begins.
        size: Its bytes; None: to the end of the file.
    """

    path: Place
    begin: int = 0
    size: int | None = None

    @contextmanager
    def open(self, what: str) -> Iterator[OpenPart]:
        """Open it for reading.

        Args:
            what: What it is, for messages, such as "frame cache s3://bucket/v.frames".

        Raises:
            ValueError: The part does not lie within the file.
            OSError: The file cannot be read.
            InputError: The object cannot be read.
        """
        path = self.path
        with RangedFile(path, what) if isinstance(path, Url) else path.open("rb", buffering=0) as file:
            whole = file.size if isinstance(file, RangedFile) else os.fstat(file.fileno()).st_size
            size = whole - self.begin if self.size is None else self.size
            if self.begin < 0 or size < 0 or self.begin + size > whole:
                raise ValueError(f"bytes {self.begin} to {self.begin + size} are wanted of {whole}")
            yield OpenPart(file, self.begin, size)


class OpenPart:
    """A part that is open.

    Args:
        file: The file, without a buffer.
        begin: The byte of the file at which the part begins.
        size: Its bytes.
    """

    def __init__(self, file: RawIOBase, begin: int, size: int) -> None:
        self._file = file
        self._begin = begin
        self._place = 0
        self.size = size

    def next(self, length: int) -> bytes:
        """Read the next bytes.

        Raises:
            ValueError: The part ends before.
        """
        content = self.read(self._place, length)
        self._place += length
        return content

    def read(self, begin: int, length: int) -> bytes:
        """Read bytes, in one call of the system where it gives them at once.

        Args:
            begin: The first byte, counted from the begin of the part.
            length: How many.

        Raises:
            ValueError: The part ends before.
        """
        if begin < 0 or length < 0 or begin + length > self.size:
            raise ValueError(f"bytes {begin} to {begin + length} are wanted of {self.size}")
        self._file.seek(self._begin + begin)
        pieces: list[bytes] = []
        while length > 0:
            piece = self._file.read(length)
            if not piece:
                raise ValueError("it has become shorter")
            pieces.append(piece)
            length -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def tensor(self, span: TensorSpan) -> np.ndarray:
        """Read a tensor of a safetensors file that the part is.

        Args:
            span: Its place in the part.

        Raises:
            ValueError: The part ends before, or the dtype is not one that is read.
        """
        if span.dtype not in NUMPY:
            raise ValueError(f"it holds a tensor of dtype {span.dtype!r}")
        content = self.read(span.begin, span.end - span.begin)
        return np.frombuffer(content, dtype=NUMPY[span.dtype]).reshape(span.shape)
