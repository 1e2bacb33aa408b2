"""Says of a data set's file that is not there by which keys it is looked for."""

from __future__ import annotations

from pathlib import Path

from lfb_lightning.errors import InputError


def present(path: Path, what: str, key: str, *, optional: bool = False) -> Path:
    """Return the path of a file that must be there.

    Args:
        path: The file.
        what: What it is, for the message.
        key: Its key in the `data` section.
        optional: Whether the data set does without it where the key is null.

    Raises:
        InputError: There is no such file.
    """
    if not path.exists():
        without = ", or to null to do without" if optional else ""
        raise InputError(f"{what} {path}: no such file; set paths.data_dir, or data.{key} to the file{without}.")
    return path
