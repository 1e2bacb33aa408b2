"""Checking a configuration against the signatures of what it builds, before anything is built.

A section with a `_target_` is compared with the annotated arguments of its target, and so are sections inside it. A word in
place of a number, or a misspelled key, becomes a one-line error that names the key, for anybody's classes.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import re
import shlex
from collections.abc import Collection, Mapping
from importlib.util import find_spec
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_object
from omegaconf import MISSING, DictConfig, OmegaConf

from lfb_lightning.cli.arguments import quoted
from lfb_lightning.cli.hints import describe, fits, shown, values_hint
from lfb_lightning.cli.keys import BESIDE, KEYS, NARROWER, RENAMED, SECTIONS, WRITTEN
from lfb_lightning.errors import InputError
from lfb_lightning.files.objects.url import refuse_url

_BUILT_WITHOUT_TARGET = {"bank": "lfb_lightning.bank.BankConfig"}
_FOLDERS_OF_SECTIONS = ("callbacks", "logger")  # each holds sections by name; null leaves one out
_TARGET = "_target_"


def check_config(cfg: DictConfig, command: str) -> None:
    """Raise InputError for the first key that is missing, unknown, or whose value has a wrong type.

    Args:
        cfg: The configuration as composed from the command line.
        command: The command that it is for, `train` for `lfb-train`.
    """
    resolved = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(resolved, dict)
    content = {str(key): value for key, value in resolved.items()}
    for name in RENAMED.keys() & content.keys():
        raise InputError(f"option '{name}' is called otherwise now: {RENAMED[name]}.")
    for name, hint in KEYS[command].items():
        if name in content:
            _check_value(name, content[name], hint)
    for name in WRITTEN.get(command, ()):
        refuse_url(name, content.get(name))
    for name in SECTIONS.get(command, ()):
        if name not in content:
            raise InputError(
                f"{name} is not in the configuration: it was taken out or set to null, but is needed here."
            )
    for key, value in content.items():
        if key in _FOLDERS_OF_SECTIONS:
            for part, section in _mapping(key, value).items():
                if section is not None:
                    _check_section(f"{key}.{part}", section)
        elif key == "data":
            _check_data(_mapping(key, value))
        elif key in _BUILT_WITHOUT_TARGET and key in SECTIONS.get(command, ()):
            target = _locate(key, _BUILT_WITHOUT_TARGET[key])
            check_arguments(key, _mapping(key, value), target)
            _check_complete(key, value, target)
        elif key in SECTIONS.get(command, ()) or (isinstance(value, dict) and _TARGET in value):
            _check_section(key, value)


def _mapping(key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{key} is {shown(value)}, expected a section of keys.")
    return value


def _check_data(section: dict[str, Any]) -> None:
    """Check a data set's own keys and those that all data sets have."""
    from lfb_lightning.cli.data_section import SHARED, dataset_target, split_section  # loads torch: not for lfb-eval

    target = _locate("data", dataset_target(section))
    own, *shared = split_section(section, target)
    keys = [field.name for part in SHARED for field in dataclasses.fields(part)]
    for constructor, arguments in zip(SHARED, shared, strict=True):
        check_arguments("data", arguments, constructor)
    check_arguments("data", own, target, more=keys)
    _check_complete("data", own, target)


def _check_section(key: str, value: Any) -> None:
    section = _mapping(key, value)
    if _TARGET not in section:
        raise InputError(f"{key} has no _target_, expected the class that it makes, with its arguments as keys.")
    beside = BESIDE.get(key, {})
    for name, hint in beside.items():
        _check_value(f"{key}.{name}", section.get(name), hint)
    own = {name: entry for name, entry in section.items() if name not in beside}
    check_arguments(key, own, _locate(key, section[_TARGET]), more=beside)


def check_arguments(key: str, arguments: Mapping[str, Any], target: Any, *, more: Collection[str] = ()) -> None:
    """Compare arguments of a section with the signature of its target.

    Args:
        key: The section's key, for messages.
        arguments: The section's content.
        target: The class or function that is called with it.
        more: Keys that stand beside the target's, for the hint at a misspelled one.

    Raises:
        InputError: The target has no such argument, or not with such a value; the message names the first one.
    """
    parameters = _parameters(target)
    takes_any = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in parameters.values())
    for name, entry in arguments.items():
        if name.startswith("_"):  # Hydra's own keys: _target_, _partial_, _convert_, ...
            continue
        if name in parameters:
            default = parameters[name].default
            if type(entry) is type(default) and entry == default:  # whatever its annotation says
                continue
            _check_value(f"{key}.{name}", entry, NARROWER.get(f"{key}.{name}", parameters[name].annotation))
        elif not takes_any:
            near = difflib.get_close_matches(name, [*parameters, *more], n=3)
            known = f"did you mean {' or '.join(near)}?" if near else "`--cfg job` prints the keys that there are."
            if not near and not _is_typed(f"{key}.{name}"):
                known = f"a preset or a file sets it; leave it out with '~{key}.{name}'."
            raise InputError(f"{key}.{name}: {getattr(target, '__name__', target)} has no '{name}'; {known}")


def _is_typed(key: str) -> bool:
    """Whether the command line names the key."""
    typed = HydraConfig.get().overrides.task if HydraConfig.initialized() else []
    return any(re.split("[=@]", override.lstrip("+~"), maxsplit=1)[0] == key for override in typed)


def _check_complete(key: str, arguments: Mapping[str, Any], target: Any) -> None:
    for name, parameter in inspect.signature(target).parameters.items():
        collects = parameter.kind in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        )  # *args, **settings: may be empty
        if parameter.default is parameter.empty and not collects and name not in arguments:
            raise InputError(f"{key}.{name} is missing from the configuration, but is needed here.")


def _check_value(key: str, value: Any, hint: Any) -> None:
    if isinstance(value, dict) and _TARGET in value:
        _check_section(key, value)
    elif isinstance(value, list) and any(isinstance(entry, dict) and _TARGET in entry for entry in value):
        for number, entry in enumerate(value):
            _check_value(f"{key}[{number}]", entry, Any)
    elif isinstance(value, dict) and (entries := values_hint(hint)) is not None:
        for name, entry in value.items():
            _check_value(f"{key}.{name}", entry, entries)
    elif value != MISSING and not fits(value, hint):
        note = f"; text is written {shlex.quote(quoted(key, str(value)))}" if _is_text_in_disguise(value, hint) else ""
        raise InputError(f"{key} is {shown(value)}, expected {describe(hint)}{note}.")


def _is_text_in_disguise(value: Any, hint: Any) -> bool:
    """Tell whether a number or switch may be meant as text: a folder can be named 2024."""
    return isinstance(value, bool | int | float) and fits(str(value), hint)


def _locate(key: str, name: Any) -> Any:
    package = name.partition(".")[0] if isinstance(name, str) else ""
    if package and find_spec(package) is None:
        from lfb_lightning.models.trusted_packages import how_to_trust  # loads torch: not for lfb-eval

        remedy = how_to_trust(name)  # which lets it be found in the working directory
        raise InputError(f"{key}._target_ is {name}, which cannot be imported: there is no module {package}{remedy}.")
    try:
        return get_object(name)
    except (ImportError, ValueError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{key}._target_ is {shown(name)}, which cannot be imported: {reason}") from error


def _parameters(target: Any) -> Mapping[str, inspect.Parameter]:
    """Return the target's arguments by name.

    Annotations that exist for type checkers only, as some packages have them, stay text. A target without a signature that
    Python can read (some built-in types have none) takes any argument.
    """
    for look_up in (True, False):
        try:
            return inspect.signature(target, eval_str=look_up).parameters
        except (NameError, AttributeError, TypeError, SyntaxError, ValueError):
            continue
    return {"any": inspect.Parameter("any", inspect.Parameter.VAR_KEYWORD)}
