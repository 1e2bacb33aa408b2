"""Where an export goes, and what it may replace: an earlier export of this command, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from lfb_lightning.errors import InputError
from lfb_lightning.files.json_file import read_json_object

APPLICATION = "lfb-report"  # stands in each export, by which it is known again
METADATA, SAMPLES, DATA = "metadata.json", "samples.json", "data"
NO_PICTURE = "no-picture.jpg"
_PICTURE = re.compile(r"\d{4,}-\d{5,}\.jpg")  # of a video and a key frame
_HEAD, _MAGIC = 4096, b"RRF"


def refuse_other_recording(out: Path) -> None:
    """Raise InputError for a file that is no recording of this command.

    Args:
        out: The recording that is to be written.
    """
    if out.is_dir():
        raise InputError(f"out={out}: is a folder; give the name of a file.")
    if not out.exists():
        return
    with out.open("rb") as file:
        head = file.read(_HEAD)
    if not head.startswith(_MAGIC) or APPLICATION.encode() not in head:
        raise InputError(
            f"out={out}: is there already, and no recording of lfb-report; give another file, or move that one."
        )


def refuse_other_folder(out: Path) -> None:
    """Raise InputError for a folder with anything in it that is not of this command.

    Args:
        out: The folder that is to be written.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"out={out}: is a file; give the name of a folder.")
    inside = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    if not inside:
        return
    foreign = [name for name in inside if name not in (METADATA, SAMPLES, DATA)] + _other_pictures(out / DATA)
    if foreign or not _is_ours(out / METADATA):
        what = f"holds {foreign[0]}" if foreign else "is there already, and no data set of lfb-report"
        raise InputError(f"out={out}: {what}; give another folder, or move that one.")


@contextmanager
def replaced_folder(out: Path) -> Iterator[Path]:
    """Make a folder that takes the place of `out` when the `with` block ends without an exception.

    Args:
        out: The folder; `refuse_other_folder` has looked at it.

    Yields:
        An empty folder beside it, which is removed if the block ends otherwise.

    Raises:
        InputError: It cannot be written.
    """
    try:
        with TemporaryDirectory(prefix=".lfb-report-", dir=out.parent) as scratch:
            made = Path(scratch) / "new"
            made.mkdir()
            yield made
            if out.is_dir():
                out.rename(Path(scratch) / "old")
            made.rename(out)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror or error}).") from error


def _other_pictures(folder: Path) -> list[str]:
    """List what somebody has put beside the pictures of an export."""
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return [f"{DATA}/{name}" for name in names if name != NO_PICTURE and not _PICTURE.fullmatch(name)]


def _is_ours(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        info = read_json_object(path, what="data set").get("info")
    except InputError:
        return False
    return isinstance(info, dict) and info.get("generator") == APPLICATION
