"""Preparing a command line for Hydra: options first, folders absolute, and quotes around values that Hydra cannot read.

Hydra reads `key=value` with a grammar of its own, in which `=`, `(`, `[`, a comma or a letter with an accent have a meaning
or are not allowed, but a path may hold any of them. The prepared arguments replace `sys.argv`, since Lightning starts the
other ranks of a run with it, and a sweep starts its jobs with the overrides.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from lfb_lightning.cli.conf_dir import conf_dir
from lfb_lightning.errors import InputError

_FOLDER_OPTIONS = ("--config-dir", "-cd", "--config-path", "-cp")
_KEY_AND_VALUE = re.compile(r"([+~]{0,2}[\w$][\w$./@:-]*)=(.*)", re.DOTALL)
_SEARCH_PATH = "hydra.searchpath"


def prepare(arguments: Sequence[str], *, may_sweep: bool) -> list[str]:
    """Prepare a command line for Hydra.

    Args:
        arguments: What the user typed after the command's name.
        may_sweep: Whether this command accepts `-m`.

    Returns:
        The options in their order, with the folders of `--config-dir` and `--config-path` absolute, then the overrides. A
        value that Hydra cannot read is text, and gets the quotes that make it so.

    Raises:
        InputError: An override is not `key=value`, or could mean several things; the message says what to write.
    """
    parsed = get_args_parser().parse_intermixed_args(list(arguments))
    options = _absolute_folders(_without(arguments, parsed.overrides))
    if parsed.shell_completion:  # the line is not complete yet
        return [*options, *parsed.overrides]
    sweep = parsed.multirun or "hydra.mode=MULTIRUN" in parsed.overrides
    if sweep and not may_sweep:
        raise InputError("runs once at a time, without -m; sweeps are for lfb-train, lfb-extract and lfb-test.")
    return [*options, *(_readable(text, sweep=sweep) for text in parsed.overrides)]


def quoted(key: str, value: str) -> str:
    """Return the override that sets a key to exactly this text."""
    return f"{key}={QuotedString(value, Quote.double).with_quotes()}"


def _without(arguments: Sequence[str], overrides: Sequence[str]) -> list[str]:
    """Return the arguments that are not overrides, in their order."""
    left = list(overrides)
    options: list[str] = []
    for position, text in enumerate(arguments):
        value_of_option = position > 0 and arguments[position - 1] in _FOLDER_OPTIONS
        if left and text == left[0] and not value_of_option:
            left.pop(0)
        else:
            options.append(text)
    return options


def _absolute_folders(options: Sequence[str]) -> list[str]:
    absolute = []
    for position, text in enumerate(options):
        name, equals, folder = text.partition("=")
        if position > 0 and options[position - 1] in _FOLDER_OPTIONS:
            absolute.append(_absolute(text))
        elif equals and name in _FOLDER_OPTIONS:
            absolute.append(f"{name}={_absolute(folder)}")
        else:
            absolute.append(text)
    return absolute


def _absolute(folder: str) -> str:
    return folder if "://" in folder else str(Path(folder).absolute())


def _readable(text: str, *, sweep: bool) -> str:
    """Return the override in a form that Hydra can read."""
    override = _parse(text)
    parts = _KEY_AND_VALUE.fullmatch(text)
    if parts is None:
        if override is None:
            raise InputError(f"{shlex.quote(text)} is no override, expected key=value, such as trainer.max_epochs=3.")
        return text
    key, value = parts[1], parts[2]
    if value == "null" and (conf_dir() / key).is_dir():  # Hydra accepts no null for a group, but a group can be removed
        return f"~{key}"
    as_text = quoted(key, value)
    if override is None:
        if sweep and "," in value:
            raise InputError(
                f"{key}: Hydra cannot read {value}; put each value of the sweep in quotes of its own: "
                f"{shlex.quote(_each_quoted(key, value))}, or all of it if it is one value: {shlex.quote(as_text)}."
            )
        return as_text if _parse(as_text) is not None else text
    if key == _SEARCH_PATH and isinstance(entries := override.value(), list):
        return _absolute_search_path(entries)
    if override.is_sweep_override() and not sweep:
        if Path(value).exists():
            return as_text
        raise InputError(
            f"{key} has several values, {value}: write {shlex.quote(as_text)} if it is one text, "
            f"{shlex.quote(f'{key}=[{value}]')} if it is a list, or add -m for a run with each of them."
        )
    if isinstance(override.value(), list | dict) and Path(value).exists():
        return as_text
    return text


def _parse(text: str) -> Override | None:
    """Parse an override as Hydra does; None if Hydra cannot."""
    try:
        return OverridesParser.create().parse_override(text)
    except HydraException:
        return None


def _each_quoted(key: str, value: str) -> str:
    return f"{key}=" + ",".join(quoted("", part)[1:] for part in value.split(","))


def _absolute_search_path(entries: list[Any]) -> str:
    absolute = []
    for entry in map(str, entries):
        scheme, separator, folder = entry.rpartition("://")
        absolute.append(entry if separator and scheme != "file" else f"file://{_absolute(folder)}")
    return search_path(absolute)


def search_path(entries: Iterable[str]) -> str:
    """Return the override that makes Hydra look for groups in more folders (`file://...`) and packages (`pkg://...`)."""
    return f"{_SEARCH_PATH}=[{','.join(quoted('', entry)[1:] for entry in entries)}]"
