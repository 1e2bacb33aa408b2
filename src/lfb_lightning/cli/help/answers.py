"""Answering a command line that asks for words and not for work."""

from __future__ import annotations

from collections.abc import Sequence

from lfb_lightning.cli.help.commands import Command, all_commands, near
from lfb_lightning.cli.help.completing import complete
from lfb_lightning.cli.help.page import command_page, commands_page, version_line
from lfb_lightning.cli.help.places import folders_of
from lfb_lightning.cli.help.shells import SCRIPTS, script

_HELP = ("--help", "-h")


def answer(words: Sequence[str]) -> str | None:
    """Answer a command line that asks for words.

    Args:
        words: What the user typed after `lfb`: a command and its arguments.

    Returns:
        The text to print; None where the command is to work.

    Raises:
        ValueError: There is no such command; the message names the near ones and lists all.
    """
    first, *rest = words or _HELP[:1]
    if first in _HELP:
        return commands_page()
    if first == "--version":
        return version_line()
    if first == "completion":
        return _completion(rest)
    names = [command.name for command in all_commands()]
    if first in names:
        return answer_command(first, rest)
    meant = near(first, [*names, "completion"])
    hint = f"did you mean {' or '.join(meant)}? " if meant else ""
    raise ValueError(f"{first!r} is no command; {hint}({', '.join(names)})")


def answer_command(name: str, arguments: Sequence[str]) -> str | None:
    """Answer `lfb-NAME ...` where it asks for help or the version; None where it is to work."""
    if set(_HELP) & set(arguments):
        command = Command(name)
        action = next((word for word in arguments[:1] if word in command.actions), None)
        return command_page(command, folders_of(arguments), action)
    return version_line() if "--version" in arguments else None


def _completion(arguments: Sequence[str]) -> str:
    kind, *rest = arguments or [""]
    if kind == "words":
        return "\n".join(complete(rest[0] if rest else ""))
    if kind not in SCRIPTS:
        raise ValueError(f"completion of {kind or 'which shell'}? expected lfb completion {'|'.join(SCRIPTS)}")
    return script(kind, [command.name for command in all_commands()])
