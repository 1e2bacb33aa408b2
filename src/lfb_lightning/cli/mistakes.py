"""Explaining a mistake in a command line or a configuration in one line, with what to write instead."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence

import hydra
from hydra.errors import InstantiationException, MissingConfigException
from omegaconf import OmegaConf
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from lfb_lightning.cli.conf_dir import conf_dir
from lfb_lightning.cli.help.commands import near
from lfb_lightning.cli.keys import RENAMED
from lfb_lightning.errors import InputError

_PLUGIN_EXTRAS = {
    "hydra/launcher/joblib": "joblib",
    "hydra/launcher/submitit_local": "slurm",
    "hydra/launcher/submitit_slurm": "slurm",
    "hydra/launcher/ray": "ray",
    "hydra/sweeper/optuna": "search",
}
_FULL_KEY = re.compile(r"^\s*full_key: (\S+)", re.MULTILINE)
_NO_OPTION = re.compile(r"Could not find '([^']+)/([^'/]+)'")
_AVAILABLE = re.compile(r"^\t(\S+)$", re.MULTILINE)
_PARTS = ("backbone", "fbo", "loss", "optim", "persons")  # groups whose options have keys of their own
_ALIKE = 0.7  # of difflib, 1 being equal: at its own 0.6 `limit_test_batches` is like `strategy`
_SPLITS = ("train", "val", "test")
_UNKNOWN = re.compile(r"Could not (?:override|delete from config\.) '([^']+)'")


def explain(error: BaseException, command: str, config_name: str, *, split: object = None) -> str:
    """Explain in one line what went wrong while a configuration was composed, read or built.

    Args:
        error: What was raised. Among it and its causes, the first that a user can mend is explained.
        command: The command's name, `train` for `lfb-train`.
        config_name: Its configuration, whose keys are suggested in place of an unknown one.
        split: The split of the data that is worked on, which is named if what went wrong is that it is not there.
    """
    causes = list(_causes(error))
    message = str(error).strip()
    for cause in causes:
        if isinstance(cause, InputError):
            return f"{_unknown_split(split, str(cause))}{cause}"
    for name, extra in _PLUGIN_EXTRAS.items():
        if f"'{name}'" in message:
            return f"{name} is an optional part: pip install 'lfb-lightning[{extra}]'."
    for name, now in RENAMED.items():
        if f"'{name}'" in message:
            return f"option '{name}' is called otherwise now: {now}."
    if isinstance(error, InstantiationException):
        return f"{_full_key(message) or 'configuration'}: {_one_line(str(causes[-1]))}"
    if isinstance(error, MissingConfigException):  # the other lines list Hydra's own folders
        if missing := _NO_OPTION.search(message):
            return _unknown_option(missing[1], missing[2], _AVAILABLE.findall(message))
        return _one_line(message.split("Config search path:")[0])
    if unknown := _UNKNOWN.match(message):
        return _unknown_key(unknown[1], command, config_name)
    if isinstance(error, ConfigAttributeError | ConfigKeyError) and error.full_key:
        return f"{error.full_key} is not in the configuration: it was taken out or set to null, but is needed here."
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: cannot be used ({error.strerror})."
    if isinstance(causes[-1], OmegaConfBaseException):
        key = _full_key(str(causes[-1]))
        return f"{key or 'configuration'}: {_first_line(causes[-1])}"
    return _one_line(message) or f"this command line cannot be read ({type(error).__name__})."


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _full_key(message: str) -> str | None:
    found = _FULL_KEY.findall(message)
    return found[-1] if found else None


def _one_line(message: str) -> str:
    return " ".join(_FULL_KEY.sub("", message).split())


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]


def _unknown_key(key: str, command: str, config_name: str) -> str:
    keys, open_sections = _all_keys(config_name)
    prints = f"`lfb-{command} --cfg job` prints every option"
    if key in keys:
        return f"option '{key}' is not there with the groups that are chosen here; {prints}."
    section, dot, name = key.rpartition(".")
    if section in open_sections:
        return f"unknown option '{key}': {section} takes names of your own: add one with a plus sign, +{key}=VALUE."
    siblings = [other.rpartition(".")[2] for other in keys if other.rpartition(".")[0] == section and "._" not in other]
    near = [f"{section}{dot}{other}" for other in difflib.get_close_matches(name, siblings, cutoff=_ALIKE)]
    options = [] if near else _options_with(section, name)
    near = near or difflib.get_close_matches(key, keys, cutoff=_ALIKE)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    if options:
        hint = f"{' or '.join(f'{section}={option}' for option in options[:3])} has it; "
    return f"unknown option '{key}': {hint}{prints}; one that is not there is added with a plus sign, +{key}=VALUE."


def _options_with(group: str, name: str) -> list[str]:
    """List the options of a part's group that have a key which the chosen one lacks."""
    if group not in _PARTS:
        return []
    return [path.stem for path in sorted((conf_dir() / group).glob("*.yaml")) if name in (OmegaConf.load(path) or {})]


def _unknown_option(group: str, option: str, options: list[str]) -> str:
    meant = _meant(option, options)
    advice = "." if meant else "; --config-dir adds a folder of your own."
    return f"{group}={option}: no such option{meant} ({', '.join(options) or 'the group has none'}){advice}"


def _unknown_split(split: object, message: str) -> str:
    """Say first that there is no such split, if its name is not a usual one and a file with it in its name is missing."""
    if not isinstance(split, str) or split in _SPLITS or split not in message or "no such file" not in message:
        return ""
    return f"split={split}: no such split{_meant(split, _SPLITS)} ({', '.join(_SPLITS)}): "


def _meant(word: str, words: Sequence[str]) -> str:
    meant = near(word, words)
    return f"; did you mean {' or '.join(meant)}?" if meant else ""


def _all_keys(config_name: str) -> tuple[list[str], set[str]]:
    """Return every key of the configuration as it is composed without overrides, and those that hold an empty mapping."""
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        composed = OmegaConf.to_container(hydra.compose(config_name), resolve=False)
    keys: list[str] = []
    empty: set[str] = set()

    def walk(node: object, prefix: str) -> None:
        if isinstance(node, dict):
            for name, value in node.items():
                keys.append(f"{prefix}{name}")
                if value == {}:
                    empty.add(keys[-1])
                walk(value, f"{prefix}{name}.")

    walk(composed, "")
    return keys, empty
