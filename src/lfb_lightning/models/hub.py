"""Detectors of the Hugging Face Hub: a name that a person has typed becomes a folder of its local cache."""

from __future__ import annotations

import re
from pathlib import Path

from lfb_lightning.errors import InputError, one_line
from lfb_lightning.models.pretrained import CONFIG, WEIGHTS

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


def local_folder(name: str | Path, revision: str | None = None) -> Path:
    """Find a detector's folder; one of the hub is fetched, unless its cache has it.

    Args:
        name: A folder, or the name of a repository of the hub, `organization/name`. A folder of that name comes first.
        revision: The repository's branch, tag or commit; None: its main branch.

    Returns:
        A folder of this machine.

    Raises:
        InputError: It is a file, there is no such folder and it is no name of the hub's, huggingface_hub is not installed, or
            it could not fetch it.
    """
    folder = Path(name)
    if folder.is_dir():
        return folder
    if folder.exists():
        raise InputError(
            f"checkpoint {name}: is a file, expected a detector's folder; load_detector reads checkpoints."
        )
    if not _NAME.fullmatch(str(name)):
        raise InputError(f"checkpoint {name}: no such folder, and no name of the hub, which is organization/name.")
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise InputError(
            f"checkpoint {name}: no such folder; to fetch it from the hub: pip install 'lfb-lightning[hub]'."
        ) from error
    try:
        return Path(snapshot_download(str(name), revision=revision, allow_patterns=[CONFIG, WEIGHTS]))
    except Exception as error:  # its own classes, those of its HTTP library, and OSError
        reason = one_line(str(error)).strip()[:300]
        raise InputError(
            f"checkpoint {name}: no such folder, and it could not be fetched from the hub ({type(error).__name__}: {reason})."
        ) from error
