"""Downloading AVA's lists, annotations and videos; an interrupted download goes on where it broke off.

Only the standard library is needed, so that a machine without torch can fetch the data.
"""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from typing import Literal

from lfb_lightning.errors import InputError

VIDEOS = "https://s3.amazonaws.com/ava-dataset"
_ANNOTATIONS = "https://research.google.com/ava/download"
_FAIR = "https://dl.fbaipublicfiles.com/video-long-term-feature-banks/data/ava/annotations"
_RELEASE = "v2.1"  # of the list of video names, which is the same for all releases
ANNOTATION_FILES = (
    *(f"{_ANNOTATIONS}/ava_{split}_v{version}.csv" for version in ("2.1", "2.2") for split in ("train", "val")),
    *(
        f"{_ANNOTATIONS}/ava_{split}_excluded_timestamps_v{version}.csv"
        for version in ("2.1", "2.2")
        for split in ("train", "val")
    ),
    f"{_ANNOTATIONS}/ava_action_list_v2.1_for_activitynet_2018.pbtxt",
    f"{_ANNOTATIONS}/ava_action_list_v2.2_for_activitynet_2019.pbtxt",
    *(f"{_FAIR}/ava_{split}_predicted_boxes.csv" for split in ("train", "val", "test")),
)
_BLOCK = 1 << 20
_LONGEST_LIST = 1 << 20  # bytes
_SECONDS = 60.0  # without an answer
_NAME = re.compile(r"[\w-][\w.-]{0,200}")
_NOT_IN_RANGE = 416
_PARTIAL = 206


def video_addresses(split: Literal["trainval", "test"], *, base: str = VIDEOS, names: Path | None = None) -> list[str]:
    """List the addresses of a split's videos.

    Args:
        split: Which videos; AVA keeps train and val in one folder.
        base: Where AVA's videos are.
        names: A file with a video's name per line; by default AVA's own list is fetched.

    Returns:
        The addresses.

    Raises:
        InputError: The list cannot be had, or holds what is no file's name.
    """
    source = str(names) if names is not None else f"{base}/annotations/ava_file_names_{split}_{_RELEASE}.txt"
    try:
        if names is not None:
            text = names.read_text(encoding="utf-8")
        else:
            with urllib.request.urlopen(source, timeout=_SECONDS) as page:
                text = page.read(_LONGEST_LIST).decode("utf-8")
    except (OSError, HTTPException, ValueError) as error:
        raise InputError(f"{source}: cannot be read ({error}); the list of AVA's videos is needed.") from error
    listed = [line.strip() for line in text.splitlines() if line.strip()]
    for name in listed:
        if not _NAME.fullmatch(name):
            raise InputError(f"{source}: holds {name[:80]!r}, expected a file name per line, such as 0f39OWEqJ24.mp4.")
    return [f"{base}/{split}/{name}" for name in listed]


def download(addresses: Sequence[str], folder: Path, *, jobs: int) -> Iterator[tuple[str, str | None]]:
    """Download files into a folder; those that are there are not asked for.

    Args:
        addresses: What to fetch.
        folder: Where to; it is made if it does not exist.
        jobs: Downloads at a time.

    Yields:
        Each file's name and what went wrong, or None, in the order of the addresses.

    Raises:
        InputError: The folder cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be made ({error.strerror}).") from error
    names = [address.rsplit("/", 1)[1] for address in addresses]
    with ThreadPoolExecutor(jobs) as pool:
        yield from zip(names, pool.map(fetch, addresses, [folder / name for name in names]), strict=True)


def fetch(address: str, path: Path) -> str | None:
    """Download one file under a temporary name; it gets its own when its length is the one that the server states.

    Args:
        address: What to fetch.
        path: The file; where it is there, nothing is asked for.

    Returns:
        What went wrong, in words, or None.
    """
    if path.is_file():
        return None
    part = path.with_name(f".{path.name}.part")
    try:
        done = part.stat().st_size if part.is_file() else 0
        request = urllib.request.Request(address, headers={"Range": f"bytes={done}-"} if done else {})
        try:
            expected = _receive(request, part, done)
        except urllib.error.HTTPError as error:
            if error.code != _NOT_IN_RANGE:
                raise
            expected = _whole_length(error.headers.get("Content-Range"))  # all of it had come, or another file's bytes
        found = part.stat().st_size
        if found > expected:
            part.unlink()
        if found != expected:
            return f"{found} of {expected} bytes came; run again to go on"
        part.rename(path)
    except (OSError, HTTPException, ValueError) as error:  # URLError and TimeoutError are OSErrors
        return f"{error}; run again to go on"
    return None


def _receive(request: urllib.request.Request, part: Path, done: int) -> int:
    """Append what the server sends, or begin anew where it does not go on; returns how long the file is in the end."""
    with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
        continued = answer.status == _PARTIAL
        stated = answer.headers["Content-Length"]
        if stated is None:
            raise ValueError("the server does not state the file's length")
        with part.open("ab" if continued else "wb") as file:
            while block := answer.read(_BLOCK):
                file.write(block)
    return int(stated) + (done if continued else 0)


def _whole_length(content_range: str | None) -> int:
    """Read the length out of `bytes */LENGTH`; 0, so that the download begins anew, where it is not said."""
    length = (content_range or "").rpartition("/")[2]
    return int(length) if length.isdecimal() else 0
