"""The words that may come next in a command line, from the files of configuration and the types of the keys."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import Any, Literal, get_args, get_origin

from lfb_lightning.cli.help.commands import Command, all_commands
from lfb_lightning.cli.help.options import Folders, Group, groups_of, option_keys, own_keys
from lfb_lightning.cli.help.places import folders_of
from lfb_lightning.cli.keys import KEYS

_OPTIONS = ("--help", "--version", "--cfg", "--info", "--config-dir", "--multirun", "--hydra-help")
_SHELLS = ("bash", "zsh", "fish")
_SWITCH = {"true", "false"}


def complete(line: str) -> list[str]:
    """Complete the last word of a command line.

    Args:
        line: The line up to the cursor, beginning with `lfb` or `lfb-train`.

    Returns:
        Whole words, sorted; those that end with `=` or `.` go on. Empty where only a file's name could follow.
    """
    words = _words(line)
    program, *typed, current = [words[0].rpartition("/")[2], *words[1:]] if len(words) > 1 else [*words, ""]
    if program == "lfb":
        if not typed:
            return _beginning(
                current, [*(command.name for command in all_commands()), "completion", "--help", "--version"]
            )
        name, *typed = typed
    else:
        name = program.removeprefix("lfb-")
    if name == "completion":
        return _beginning(current, _SHELLS)
    command = next((one for one in all_commands() if one.name == name), None)
    return [] if command is None else _of_command(command, typed, current)


def _of_command(command: Command, typed: list[str], current: str) -> list[str]:
    action = None
    if command.actions:
        if not typed or typed[0] not in command.actions:
            return _beginning(current, [*command.actions, "--help"])
        action, *typed = typed
    if current.startswith("-"):
        return _beginning(current, _OPTIONS)
    folders = folders_of(typed)
    config_name = command.config_name(action)
    groups = groups_of(folders, config_name)
    name, equals, value = current.partition("=")
    if equals:
        return _values(command, groups, folders, name.lstrip("+~"), f"{name}=", value)
    names = [f"{group.name}=" for group in groups]
    names += [f"{key.name}=" for key in own_keys(folders, config_name) if key.value]
    for group in groups:
        names += (f"{key.name}=" for key in option_keys(folders, group.name, _chosen(group, typed)) if key.value)
    return _level_by_level(current, names)


def _values(command: Command, groups: list[Group], folders: Folders, name: str, start: str, value: str) -> list[str]:
    """Complete what follows `name=`: the last of several values of a sweep."""
    before, comma, last = value.rpartition(",")
    group = next((group for group in groups if group.name == name), None)
    if group is not None:
        known: Iterable[str] = group.options
    else:
        known = _known_values(KEYS.get(command.name, {}).get(name), command, folders, groups, name)
    return [f"{start}{before}{comma}{word}" for word in _beginning(last, known)]


def _known_values(hint: Any, command: Command, folders: Folders, groups: list[Group], name: str) -> set[str]:
    if get_origin(hint) is Literal:
        return set(map(str, get_args(hint)))
    keys = own_keys(folders, command.config_name()) if not command.actions else []
    for group in groups:
        keys = [*keys, *option_keys(folders, group.name, group.chosen)]
    return _SWITCH if hint is bool or any(key.name == name and key.value in _SWITCH for key in keys) else set()


def _chosen(group: Group, typed: list[str]) -> str:
    chosen = [word.partition("=")[2] for word in typed if word.startswith(f"{group.name}=")]
    return chosen[-1].split(",")[0] if chosen else group.chosen


def _level_by_level(current: str, names: Iterable[str]) -> list[str]:
    """Complete a dotted name by one level: `trainer.` first, then the keys in it."""
    found = set()
    for name in names:
        if name.startswith(current):
            head, dot, _ = name[len(current) :].partition(".")
            found.add(current + head + dot)
    return sorted(found)


def _beginning(current: str, words: Iterable[str]) -> list[str]:
    return sorted(word for word in words if word.startswith(current))


def _words(line: str) -> list[str]:
    """Split a line that may end inside of a quote; a space at its end begins an empty word."""
    try:
        words = shlex.split(line)
    except ValueError:
        words = line.split()
    return [*words, ""] if line[-1:].isspace() or not words else words
