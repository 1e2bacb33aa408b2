"""`lfb-doctor`: what this machine has and can do; started without Hydra and torch, since it must work where those do not."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from lfb_lightning.cli.conf_dir import conf_dir
from lfb_lightning.cli.unread import ending_with_reader
from lfb_lightning.doctor import Section, Settings, examine
from lfb_lightning.doctor.report import count, document, section_text, verdict
from lfb_lightning.processes import end_when_asked

_USAGE = (
    "lfb-doctor [json=true] [self_test=false] [paths.runs_dir=DIR] [paths.bank_dir=DIR] [paths.data_dir=DIR] "
    "[--config-dir DIR]"
)
_FOLDERS = {f"paths.{name}": name for name in ("runs_dir", "bank_dir", "data_dir")}
_SWITCHES = {"true": True, "false": False}


def parse(arguments: Sequence[str]) -> tuple[Settings, bool]:
    """Read the command line.

    Args:
        arguments: What the user typed after the command's name.

    Returns:
        What to look at, and whether the report is to be JSON.

    Raises:
        ValueError: An argument is none of this command's; the message says which and what is expected.
    """
    given: dict[str, Any] = {}
    as_json = False
    left = list(arguments)
    while left:
        name, equals, value = left.pop(0).partition("=")
        if name in ("--config-dir", "-cd"):
            if not equals and not left:
                raise ValueError(f"{name} needs a folder.")
            given["config_dir"] = value if equals else left.pop(0)
        elif name in _FOLDERS and value:
            given[_FOLDERS[name]] = value
        elif name == "self_test" and value in _SWITCHES:
            given[name] = _SWITCHES[value]
        elif name == "json" and value in _SWITCHES:
            as_json = _SWITCHES[value]
        else:
            raise ValueError(f"{name}{equals}{value} is not understood, expected {_USAGE}.")
    return Settings(conf_dir=str(conf_dir()), **given), as_json


def doctor(settings: Settings, as_json: bool) -> int:
    """Make the checks and print the report; returns 1 if there is a problem, else 0."""
    sections: list[Section] = []
    for section in examine(settings):
        sections.append(section)
        if not as_json:
            with ending_with_reader():
                print(section_text(section))
    with ending_with_reader():
        print(json.dumps(document(sections), indent=1) if as_json else verdict(sections))
    return 1 if count(sections, "problem") else 0


def _answer(arguments: Sequence[str]) -> str | None:
    """Answer a question for help or the version; also where the files of the help cannot be read."""
    try:
        from lfb_lightning.cli.help.answers import answer_command

        return answer_command("doctor", arguments)
    except (ImportError, OSError):
        return _USAGE if {"--help", "-h"} & set(arguments) else None


def main() -> None:
    """Run `lfb-doctor` with the arguments that the user typed."""
    if (text := _answer(sys.argv[1:])) is not None:
        print(text)
        return
    try:
        settings, as_json = parse(sys.argv[1:])
    except ValueError as error:
        print(f"lfb-doctor: {error}", file=sys.stderr)
        sys.exit(1)
    end_when_asked()
    sys.exit(doctor(settings, as_json))


if __name__ == "__main__":
    main()
