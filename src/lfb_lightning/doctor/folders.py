"""The folders that commands write into: are they there, can they be written, and is there room?"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lfb_lightning.doctor.line import Line, note, ok, problem
from lfb_lightning.doctor.settings import Settings

_GIB = 2**30
_FULL, _NEARLY_FULL = _GIB // 5, 5 * _GIB


def check_folders(settings: Settings) -> Iterator[Line]:
    """Look at the folders of runs, of banks, of temporary files and of the data set."""
    for name, key, folder in (
        ("runs", "paths.runs_dir", settings.runs_dir),
        ("banks", "paths.bank_dir", settings.bank_dir),
        ("temporary files", "TMPDIR", tempfile.gettempdir()),
    ):
        yield folder_line(name, key, Path(folder))
    data = Path(settings.data_dir)
    yield ok(f"data: {data}{'' if data.is_dir() else ' is not there (paths.data_dir)'}")


def folder_line(name: str, key: str, folder: Path) -> Line:
    """Say whether a folder, or the one in which it would be made, can be written, by writing; and how much room it has.

    Args:
        name: What is in it.
        key: How another folder is chosen.
        folder: The folder; it need not exist.
    """
    parent = next((place for place in (folder.absolute(), *folder.absolute().parents) if place.exists()), None)
    if parent is None or not parent.is_dir():
        return problem(
            f"{name}: {folder} cannot be a folder: {parent or folder.anchor} is none", f"set {key} to another"
        )
    try:
        with tempfile.NamedTemporaryFile(dir=parent) as file:  # removed again
            file.write(b"lfb-doctor")
            file.flush()
    except OSError as error:
        return problem(f"{name}: {folder} cannot be written ({error.strerror})", f"set {key} to a folder that can")
    said = f"{name}: {folder}{'' if parent == folder.absolute() else f' (will be made in {parent})'}"
    return room_line(said, key, shutil.disk_usage(parent).free)


def room_line(said: str, key: str, free: int) -> Line:
    """Say how many bytes are free in a folder that can be written."""
    said = f"{said}, {free / _GIB:.1f} GiB free"
    remedy = f"free some, or set {key} to a folder on another disk"
    if free < _FULL:
        return problem(said, remedy)
    return note(said, remedy) if free < _NEARLY_FULL else ok(said)
