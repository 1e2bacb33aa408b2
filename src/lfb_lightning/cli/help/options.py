"""The groups and keys that concern one command, found in the folders of configuration without composing them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from lfb_lightning.cli.help.yaml_text import ConfigFile, Key, first_comment, read

_STRUCTURE = ("common",)  # groups of files that only put others together
_GLOBAL = "_global_"


@dataclass(frozen=True, kw_only=True)
class Group:
    """A group of options that a command chooses from.

    Args:
        name: The group's name, as in `name=option`.
        meaning: What it is about.
        chosen: The option that is taken without a word; empty for none.
        options: The options' names with their meanings, sorted.
    """

    name: str
    meaning: str
    chosen: str
    options: dict[str, str]


@dataclass(frozen=True)
class Folders:
    """The folders of configuration, in the order in which Hydra looks into them.

    Args:
        paths: The package's own folder, then those that the user adds.
    """

    paths: tuple[Path, ...]

    def file(self, name: str) -> Path | None:
        """Return the file of a configuration such as `fbo/nl`; None if no folder has it."""
        return next((path for folder in self.paths if (path := folder / f"{name}.yaml").is_file()), None)

    def options(self, group: str) -> dict[str, str]:
        """Return the options of a group with their meanings, sorted."""
        found: dict[str, str] = {}
        for folder in self.paths:
            for path in (folder / group).glob("*.yaml"):
                found.setdefault(path.stem, first_comment(path))
        return dict(sorted(found.items()))

    def groups(self) -> list[str]:
        """Return the names of all groups, sorted."""
        return sorted(
            {path.name for folder in self.paths if folder.is_dir() for path in folder.iterdir() if path.is_dir()}
        )


def groups_of(folders: Folders, config_name: str) -> list[Group]:
    """List the groups that a command's configuration chooses from, in its order; the chosen option may be none.

    Args:
        folders: Where configurations are.
        config_name: The command's configuration, such as `train`.
    """
    found: dict[str, Group] = {}
    for config in _with_parts(folders, config_name):
        for choice in config.choices:
            name = choice.group.lstrip("/")
            if name.startswith("override ") or name.startswith("hydra") or name in _STRUCTURE:
                continue
            found.setdefault(
                name, Group(name=name, meaning=choice.meaning, chosen=choice.option, options=folders.options(name))
            )
    return list(found.values())


def own_keys(folders: Folders, config_name: str) -> list[Key]:
    """List the keys that a command has itself, without those of its groups."""
    return [key for config in _with_parts(folders, config_name) for key in config.keys]


def option_keys(folders: Folders, group: str, option: str) -> list[Key]:
    """List the keys of an option, with those of the options that it builds on, named as on the command line."""
    found: dict[str, Key] = {}
    path = folders.file(f"{group}/{option}")
    if path is None:
        return []
    config = _read(path)
    for base in config.bases:
        if base != option:
            found |= {key.name: key for key in option_keys(folders, group, base)}
    package = config.package or group.replace("/", ".")
    for key in config.keys:
        name = key.name if package == _GLOBAL else f"{package}.{key.name}"
        known = found.get(name)
        found[name] = replace(key, name=name, meaning=key.meaning or (known.meaning if known else ""))
    return list(found.values())


def bases_of(folders: Folders, group: str, option: str) -> Sequence[str]:
    """Return the options of its group that an option builds on."""
    path = folders.file(f"{group}/{option}")
    return () if path is None else _read(path).bases


def _with_parts(folders: Folders, config_name: str) -> Iterator[ConfigFile]:
    """Give the files that only put others together, then a command's configuration."""
    path = folders.file(config_name)
    if path is None:
        return
    config = _read(path)
    for choice in config.choices:
        if choice.group.lstrip("/") in _STRUCTURE:
            yield from _with_parts(folders, f"{choice.group.lstrip('/')}/{choice.option}")
    yield config


@cache
def _read(path: Path) -> ConfigFile:
    return read(path)
