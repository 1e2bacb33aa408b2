"""The converters' messages name options of a command line (`--fps`); the commands here say their keys (`fps=`)."""

from __future__ import annotations

import re

_OPTION = re.compile(r"--([a-z]+(?:-[a-z]+)*)(?:=| (?=[\"'(A-Z0-9]))?")


def in_keys(text: str) -> str:
    """Say a converter's message with a command's keys: `fps=25` for `--fps 25`."""
    return _OPTION.sub(lambda match: f"{match[1].replace('-', '_')}=", text)
