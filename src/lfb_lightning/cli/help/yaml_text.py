"""A YAML file of the configuration as a person reads it: its keys with the comments beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PACKAGE = re.compile(r"^# *@package +(\S+)")
_COMMENT = re.compile(r"\s+# ?(.*)$")


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key of a configuration file.

    Args:
        name: The key, with the keys that it is in: `trainer.max_epochs`.
        value: Its value as it is written; empty for a section.
        meaning: The comment beside it.
    """

    name: str
    value: str
    meaning: str


@dataclass(frozen=True, kw_only=True)
class Choice:
    """An entry of a `defaults` list: a group and the option that is chosen of it.

    Args:
        group: The group's folder, relative to the configuration's.
        option: The chosen option; empty for none.
        meaning: The comment beside it.
    """

    group: str
    option: str
    meaning: str


@dataclass(frozen=True, kw_only=True)
class ConfigFile:
    """What a configuration file says.

    Args:
        meaning: Its first comment.
        package: Where its keys go: `_global_`, a section's name, or empty for its group's name.
        choices: The groups that its `defaults` list chooses from.
        bases: The options of its own group that it builds on.
        keys: Its own keys, in order.
    """

    meaning: str
    package: str
    choices: tuple[Choice, ...]
    bases: tuple[str, ...]
    keys: tuple[Key, ...]


def first_comment(path: Path) -> str:
    """Return the first line of comment of a file that is not about its package; empty if it begins with something else."""
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if not line.startswith("#"):
                return ""
            if _PACKAGE.match(line) is None:
                return line.lstrip("# ").strip()
    return ""


def read(path: Path) -> ConfigFile:
    """Read a configuration file; one that is no YAML has no keys, and Hydra says why when it is used."""
    import yaml  # here, since lfb-doctor starts without it

    text = path.read_text(encoding="utf-8", errors="replace")
    package = next((found[1] for line in text.splitlines()[:5] if (found := _PACKAGE.match(line))), "")
    try:
        root: Any = yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError:
        root = None
    entries = root.value if root is not None and root.id == "mapping" else []
    lines = text.splitlines()
    choices: list[Choice] = []
    bases: list[str] = []
    for key, value in entries:
        if key.value == "defaults" and value.id == "sequence":
            for entry in value.value:
                if entry.id == "scalar":
                    bases.append(entry.value)
                elif entry.id == "mapping" and entry.value:
                    choices.append(_choice(entry, lines))
    keys = [pair for pair in entries if pair[0].value not in ("defaults", "hydra")]
    return ConfigFile(
        meaning=first_comment(path),
        package=package,
        choices=tuple(choices),
        bases=tuple(base for base in bases if base != "_self_"),
        keys=tuple(_keys(keys, "", lines)),
    )


def _choice(entry: Any, lines: list[str]) -> Choice:
    group, option = entry.value[0]
    name = "" if option.tag == "tag:yaml.org,2002:null" else option.value
    return Choice(group=group.value, option=str(name), meaning=_beside(lines, option))


def _keys(pairs: list[tuple[Any, Any]], prefix: str, lines: list[str]) -> Iterator[Key]:
    for key, value in pairs:
        name = f"{prefix}{key.value}"
        if value.id == "mapping" and value.value and not value.flow_style:
            beside = _COMMENT.search(lines[key.end_mark.line][key.end_mark.column :])
            yield Key(name=name, value="", meaning="" if beside is None else beside[1])
            yield from _keys(value.value, f"{name}.", lines)
        elif not key.value.startswith("_"):
            written = lines[value.start_mark.line][value.start_mark.column :]
            if value.end_mark.line == value.start_mark.line:
                written = lines[value.start_mark.line][value.start_mark.column : value.end_mark.column]
            yield Key(name=name, value=written.strip(), meaning=_beside(lines, value))


def _beside(lines: list[str], node: Any) -> str:
    """Return the comment behind a value in its last line."""
    mark = node.end_mark
    found = _COMMENT.search(lines[mark.line][mark.column :]) if mark.line < len(lines) else None
    return "" if found is None else found[1].strip()
