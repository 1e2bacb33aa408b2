"""The packed frame cache: the cache files of many videos in few archives, for data sets of a hundred thousand videos.

An archive is a zip file whose members, `<id>.frames`, are stored as they are: any program lists and unpacks it, with a
checksum for each. An index, `packed.safetensors`, says where each video's bytes lie, so that a clip is read without opening
the archive as one. The index is written last: what it does not name does not exist.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from lfb_lightning.errors import InputError
from lfb_lightning.files.durable import durable_file, write_durably
from lfb_lightning.files.file_part import FilePart
from lfb_lightning.files.objects.ranged_file import stated_of
from lfb_lightning.files.objects.url import Place, Url
from lfb_lightning.files.safetensors_header import (
    NUMPY,
    TensorSpan,
    parse_safetensors_header,
    read_safetensors_header,
)

INDEX = "packed.safetensors"
_MEMBER = ".frames"
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # every archive of the same files is the same
_ARRAYS = {"names": "U8", "name_ends": "I64", "archives": "I32", "begins": "I64", "sizes": "I64"}
_REMEMBERED = 8  # folders


class PackedIndex:
    """Where the videos of a packed cache lie; a file's index is mapped into memory, which processes share.

    Args:
        folder: The folder of the cache, or its URL, of which the index is fetched whole.

    Raises:
        InputError: The index is damaged.
    """

    def __init__(self, folder: Place) -> None:
        self._folder = folder
        path = folder / INDEX
        try:
            self._names, self._ends, self._archives, self._begins, self._sizes = (
                _fetched(path) if isinstance(path, Url) else _mapped(path)
            )
            if len({len(one) for one in (self._ends, self._archives, self._begins, self._sizes)}) != 1:
                raise ValueError("its columns differ in length")
        except (OSError, KeyError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(
                f"frame cache {path}: cannot be read ({error}); run `lfb-cache pack=true` again."
            ) from error

    def __len__(self) -> int:
        """Return the number of videos."""
        return len(self._ends)

    def part(self, video_id: str) -> FilePart | None:
        """Return where a video's cache file lies; None if it is not in here."""
        wanted, low, high = video_id.encode(), 0, len(self)
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if self._name(middle) < wanted else (low, middle)
        if low == len(self) or self._name(low) != wanted:
            return None
        path = self._folder / archive_name(int(self._archives[low]))
        return FilePart(path, int(self._begins[low]), int(self._sizes[low]))

    def entries(self) -> Iterator[tuple[str, tuple[int, int, int]]]:
        """List the videos in order: id; archive, begin and size."""
        for place in range(len(self)):
            yield (
                self._name(place).decode(errors="replace"),
                (int(self._archives[place]), int(self._begins[place]), int(self._sizes[place])),
            )

    def _name(self, place: int) -> bytes:
        begin = int(self._ends[place - 1]) if place else 0
        return self._names[begin : int(self._ends[place])].tobytes()


def packed_index(folder: Place) -> PackedIndex | None:
    """Open the index of a cache, which is remembered until the file changes; None if the cache is not packed.

    Raises:
        InputError: The index is damaged.
    """
    if isinstance(folder, Url):
        stated = stated_of(folder / INDEX, f"frame cache {folder}")
        return None if stated is None else _opened(folder, stated)
    try:
        found = (folder / INDEX).stat()
    except OSError:
        return None
    return _opened(folder, (found.st_mtime_ns, found.st_size))


@lru_cache(maxsize=_REMEMBERED)
def _opened(folder: Place, version: tuple[object, ...]) -> PackedIndex:
    return PackedIndex(folder)


def archive_name(number: int) -> str:
    """Return the file name of an archive."""
    return f"frames-{number:05d}.zip"


def write_archive(folder: Path, files: Mapping[str, Path], index: PackedIndex | None) -> None:
    """Write cache files into a new archive, and then an index that names them beside those of before.

    Args:
        folder: The folder of the cache.
        files: The cache file of each video; all of them stay.
        index: The index of before.

    Raises:
        InputError: A file cannot be read or written.
    """
    entries = dict(index.entries()) if index is not None else {}
    number = 1 + max((archive for archive, _, _ in entries.values()), default=-1)
    with (
        durable_file(folder / archive_name(number)) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive,
    ):
        for video_id, path in sorted(files.items()):
            content = path.read_bytes()
            archive.writestr(zipfile.ZipInfo(f"{video_id}{_MEMBER}", _EARLIEST), content)
            entries[video_id] = (number, file.tell() - len(content), len(content))
    _write_index(folder, sorted((video_id.encode(), place) for video_id, place in entries.items()))
    used = {archive_name(archive) for archive, _, _ in entries.values()}
    for path in folder.glob("frames-*.zip"):
        if path.name not in used:  # its videos have been made anew
            path.unlink()


def _write_index(folder: Path, rows: Sequence[tuple[bytes, tuple[int, int, int]]]) -> None:
    places = np.array([place for _, place in rows], dtype=np.int64).reshape(-1, 3)
    arrays: dict[str, np.ndarray] = {
        "names": np.frombuffer(b"".join(name for name, _ in rows), dtype=np.uint8),
        "name_ends": np.cumsum([len(name) for name, _ in rows], dtype=np.int64),
        "archives": places[:, 0].astype(np.int32),
        "begins": np.ascontiguousarray(places[:, 1]),
        "sizes": np.ascontiguousarray(places[:, 2]),
    }
    write_durably(folder / INDEX, save(arrays))


def _mapped(path: Path) -> list[np.ndarray]:
    _, spans = read_safetensors_header(path)
    columns = []
    for span in _columns(spans):
        if span.begin == span.end:
            columns.append(np.zeros(0, dtype=NUMPY[span.dtype]))
        else:
            columns.append(np.memmap(path, dtype=NUMPY[span.dtype], mode="r", offset=span.begin, shape=span.shape))
    return columns


def _fetched(url: Url) -> list[np.ndarray]:
    with FilePart(url).open(f"frame cache {url}") as file:
        _, spans = parse_safetensors_header(file.next, file.size)
        return [file.tensor(span) for span in _columns(spans)]


def _columns(spans: Mapping[str, TensorSpan]) -> list[TensorSpan]:
    for name, dtype in _ARRAYS.items():
        if spans[name].dtype != dtype or len(spans[name].shape) != 1:
            raise ValueError(f"{name} is {spans[name].dtype} {spans[name].shape}, expected {dtype}")
    return [spans[name] for name in _ARRAYS]
