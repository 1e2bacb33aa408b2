"""The commands: one for each help text in `conf/hydra/help`, whose module in this package has its name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from lfb_lightning.cli.conf_dir import conf_dir

_PREFIX = "lfb_"
_ORDER = (
    "train",
    "extract",
    "test",
    "predict",
    "detect",
    "eval",
    "check",
    "data",
    "cache",
    "bank",
    "import",
    "export",
    "report",
    "new",
    "doctor",
)
_MODULES = {"import": "import_weights"}  # `import` is a word of Python's
_ACTIONS = {
    "bank": "lfb_bank",
    "data": "lfb_data",
}  # the commands that take an action first, and the folder of the actions' configurations


@dataclass(frozen=True)
class Command:
    """A command.

    Args:
        name: Its name: `train` for `lfb train` and `lfb-train`.
    """

    name: str

    @property
    def module(self) -> str:
        """The name of the module that runs it."""
        return f"lfb_lightning.cli.{_MODULES.get(self.name, self.name)}"

    @property
    def actions(self) -> list[str]:
        """The actions of which the first argument names one; none for most commands."""
        folder = _ACTIONS.get(self.name)
        return sorted(path.stem for path in (conf_dir() / folder).glob("*.yaml")) if folder else []

    def config_name(self, action: str | None = None) -> str:
        """Return the name of the command's configuration, or of that of one of its actions."""
        return self.name if action is None else f"{_ACTIONS[self.name]}/{action}"

    def help(self) -> dict[str, str]:
        """Return the command's help text: `header`, `template`, `footer`."""
        import yaml  # here, since lfb-doctor starts without it

        content = yaml.safe_load(_help_file(self.name).read_text(encoding="utf-8"))
        return {str(name): str(text) for name, text in content.items()}


def all_commands() -> list[Command]:
    """List the commands that are here, those of a usual day's order first."""
    names = [path.stem.removeprefix(_PREFIX) for path in _help_file("*").parent.glob(f"{_PREFIX}*.yaml")]
    names.sort(key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))
    return [command for command in map(Command, names) if find_spec(command.module) is not None]


def near(word: str, words: Iterable[str]) -> list[str]:
    """Return the words that a misspelled one may have meant, the nearest first."""
    known = list(words)
    return difflib.get_close_matches(word, known) or [one for one in known if word and one.startswith(word)]


def _help_file(name: str) -> Path:
    return conf_dir() / "hydra" / "help" / f"{_PREFIX}{name}.yaml"
