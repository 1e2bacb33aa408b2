"""The text of `--help`: what a command does, examples, then its groups and keys, an option per line with its meaning."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Iterator, Sequence

from lfb_lightning.cli.help.commands import Command, all_commands
from lfb_lightning.cli.help.options import Folders, Group, bases_of, groups_of, option_keys, own_keys
from lfb_lightning.cli.help.yaml_text import Key, first_comment
from lfb_lightning.version import __version__

_GROUPS = "$APP_CONFIG_GROUPS"
_WIDEST_NAME = 34
_NARROWEST, _WIDEST = 80, 120  # columns of a page
_SENTENCE = re.compile(r"[.!?](?= +[A-Z`])")  # where a meaning's first sentence ends
_FOLDERS = "paths"  # its only option is shown key by key
_KEYS = "Keys of this command, set with key=value, with the values that they have unless set (???: to be set):"
_GROUPED = "experiment"  # the group that is shown as a tree of what builds on what


def commands_page() -> str:
    """Write the help of `lfb` itself: a line per command."""
    lines = [
        "Long-Term Feature Banks: train, look back by minutes, tell who does what.",
        "",
        "Usage: lfb COMMAND ...",
        "",
    ]
    lines += _table([(command.name, _first_line(command.help()["header"])) for command in all_commands()])
    return "\n".join(
        [
            *lines,
            "",
            "lfb COMMAND --help says more; `lfb train` and `lfb-train` are one. `lfb --version` is the version,",
            "`lfb completion bash|zsh|fish` the script that completes command lines.",
        ]
    )


def command_page(command: Command, folders: Folders, action: str | None = None) -> str:
    """Write the help of a command.

    Args:
        command: The command.
        folders: Where its groups are, those that the user adds included.
        action: The action of it that is asked about; None for all.
    """
    text = command.help()
    header, footer = text["header"].rstrip(), text["footer"].rstrip()
    if action is not None:
        return _action_page(command, folders, action)
    body = text["template"].replace("${hydra.help.header}", header)
    body = body.replace("${hydra.help.footer}", "").rstrip()
    options = "\n".join(_options(command, folders))
    body = body.replace(_GROUPS, options) if _GROUPS in body else f"{body}\n\n{options}"
    return f"{body.rstrip()}\n\n{footer}"


def version_line() -> str:
    """Say which version this is."""
    return f"lfb-lightning {__version__}"


def _action_page(command: Command, folders: Folders, action: str) -> str:
    start = f"lfb-{command.name} {action}"
    path = folders.file(command.config_name(action))
    assert path is not None
    examples = [line for line in command.help()["template"].splitlines() if line.startswith(start)]
    keys = _keys(own_keys(folders, command.config_name(action)))
    return "\n".join([first_comment(path), "", *examples, "", _KEYS, *keys])


def _options(command: Command, folders: Folders) -> Iterator[str]:
    if command.actions:
        yield f"Actions (lfb-{command.name} ACTION --help lists the keys of one):"
        found = folders.options(command.config_name("x").rpartition("/")[0])
        yield from _table([(name, meaning.partition(": ")[2]) for name, meaning in found.items()])
        return
    groups = groups_of(folders, command.config_name())
    groups.sort(key=lambda group: group.name != _GROUPED)
    choices = [group for group in groups if len(group.options) > 1 or not group.chosen]
    if choices:
        yield "Groups, set with group=option (*: taken unless another is chosen):"
    for group in choices:
        yield f"  {group.name}={f'  {group.meaning}' if group.meaning else ''}"
        yield from _table(list(_rows(group, folders)), indent="    ")
    single = [group for group in groups if group not in choices and group.options and group.name != _FOLDERS]
    if single:
        yield from ("", "Groups of one option, for those that you add with --config-dir:")
        yield from _table([(f"{group.name}={next(iter(group.options))}", group.meaning) for group in single])
    keys = own_keys(folders, command.config_name())
    if any(group.name == _FOLDERS for group in groups):
        keys += option_keys(folders, _FOLDERS, "default")
    if keys:
        yield from ["", _KEYS] if choices or single else [_KEYS]
        yield from _keys(keys)


def _rows(group: Group, folders: Folders) -> Iterator[tuple[str, str]]:
    """Give the options of a group with their meanings; experiments below the one that they build on."""
    if group.name != _GROUPED:
        for name, meaning in group.options.items():
            yield f"{'* ' if name == group.chosen else '  '}{name}", meaning
        return
    bases = {
        name: [base for base in bases_of(folders, group.name, name) if base in group.options] for name in group.options
    }

    def below(parent: str | None, depth: int) -> Iterator[tuple[str, str]]:
        for name, meaning in group.options.items():
            if (bases[name][0] if bases[name] else None) == parent:
                yield f"{'* ' if name == group.chosen else '  '}{'  ' * depth}{name}", meaning
                yield from below(name, depth + 1)

    yield from below(None, 0)


def _keys(keys: Sequence[Key]) -> list[str]:
    return _table([(f"{key.name}={key.value}", key.meaning) for key in keys if key.value], indent="  ")


def _table(rows: Sequence[tuple[str, str]], indent: str = "  ") -> list[str]:
    """Lay names and meanings out in two columns as wide as the terminal; a long meaning goes on below itself."""
    width = max(_NARROWEST, min(shutil.get_terminal_size((_WIDEST, 24)).columns, _WIDEST))
    column = min(max((len(name) for name, _ in rows), default=0), _WIDEST_NAME)
    lines = []
    for name, meaning in rows:
        hanging = " " * (len(indent) + column + 2)
        text = f"{indent}{name:{column}}  {_SENTENCE.split(meaning)[0]}".rstrip(" .")
        lines += textwrap.wrap(text, width, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False)
    return lines


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
