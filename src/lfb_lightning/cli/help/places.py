"""The folders of configuration that a command line names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lfb_lightning.cli.conf_dir import conf_dir
from lfb_lightning.cli.help.options import Folders

_ADDING = ("--config-dir", "-cd", "--config-path", "-cp")


def folders_of(arguments: Sequence[str]) -> Folders:
    """Return the package's folder of configuration and those that the options of a command line add.

    Args:
        arguments: What the user typed after the command's name.
    """
    added = []
    for position, text in enumerate(arguments):
        name, equals, value = text.partition("=")
        if name in _ADDING:
            following = value if equals else "".join(arguments[position + 1 : position + 2])
            added += [Path(following)] if following else []
        elif name == "hydra.searchpath":
            added += [
                Path(entry.removeprefix("file://")) for entry in value.strip("[]").split(",") if "pkg://" not in entry
            ]
    return Folders((conf_dir(), *(folder for folder in added if folder.is_dir())))
