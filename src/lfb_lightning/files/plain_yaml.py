"""Reading YAML text from a file as plain data: no objects, no references, no interpolations.

A checkpoint holds the configuration of its run as such a text. The text is not trusted: its size is checked before anything
is built from it, and a `${...}` in it stays text.
"""

from __future__ import annotations

from typing import Any

import yaml

from lfb_lightning.errors import InputError

MAX_CHARACTERS = 256 * 1024  # lfb-train writes about 5,000
MAX_DEPTH = 32  # lfb-train writes 4
MAX_SCALAR = 10_000  # characters, since Python takes quadratic time to read a long whole number
_SCALARS = (str, int, float, bool, type(None))


def read_plain_mapping(text: object, *, source: str) -> dict[str, Any]:
    """Read a stored configuration.

    Args:
        text: What the file holds as its configuration; anything but text is refused.
        source: What messages call the file, such as "checkpoint runs/nl/checkpoints/best.ckpt".

    Returns:
        Nested dictionaries (keys: text or whole numbers) and lists of text, numbers, truth values and None.

    Raises:
        InputError: It is not text or not a YAML mapping, has anchors, aliases, tags or dates, or is too large.
    """
    if not isinstance(text, str):
        raise InputError(f"{source}: its configuration is of type {type(text).__name__}, expected YAML text.")
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"{source}: its configuration has {len(text)} characters, expected at most {MAX_CHARACTERS}.")
    try:
        flaw = _flaw_of_events(text)
        content = yaml.safe_load(text) if flaw is None else None
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f" in line {error.problem_mark.line + 1}"
        flaw = f"is no YAML{line}: {error.problem}"
    except yaml.YAMLError as error:
        flaw = f"is no YAML: {_one_line(error)}"
    except (ValueError, OverflowError) as error:  # a number or a date that Python cannot hold
        flaw = f"has a value without meaning: {_one_line(error)}"
    if flaw is None and not (isinstance(content, dict) and all(isinstance(key, str) for key in content)):
        flaw = f"is of type {type(content).__name__}, expected a mapping of named sections"
    if flaw is None:
        flaw = _flaw_of_values(content)
    if flaw is not None:
        raise InputError(
            f"{source}: its configuration {flaw}; such a file is damaged, or lfb-lightning did not write it."
        )
    assert isinstance(content, dict)
    return content


def write_plain(content: dict[str, Any]) -> str:
    """Write a configuration of plain data as YAML text that `read_plain_mapping` reads."""
    return yaml.dump(content, Dumper=_WithoutAliases, sort_keys=False, allow_unicode=True)


class _WithoutAliases(yaml.SafeDumper):
    """Writes a list that stands in two places twice, and not as a reference."""

    def ignore_aliases(self, data: Any) -> bool:
        """Tell yaml to write `data` again instead of referring to it."""
        return True


def _flaw_of_events(text: str) -> str | None:
    """Say what in the text is not plain data, while parsing it and before anything is built; None if all is."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = 0 if event.start_mark is None else event.start_mark.line + 1
        tag = getattr(event, "tag", None)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            return f"has an anchor or an alias in line {line}"
        if tag is not None:
            return f"has the tag {tag!r:.80} in line {line}"
        if isinstance(event, yaml.ScalarEvent) and len(event.value) > MAX_SCALAR:
            return f"has a value of {len(event.value)} characters in line {line}, expected at most {MAX_SCALAR}"
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            return f"is nested more than {MAX_DEPTH} levels deep in line {line}"
    return None


def _flaw_of_values(value: Any) -> str | None:
    if isinstance(value, dict):
        for key in value:
            if isinstance(key, bool) or not isinstance(key, str | int):
                return f"has the key {str(key)!r:.80} of type {type(key).__name__}, expected text or a whole number"
    if isinstance(value, dict | list):
        items = value.values() if isinstance(value, dict) else value
        return next((flaw for item in items if (flaw := _flaw_of_values(item)) is not None), None)
    return None if isinstance(value, _SCALARS) else f"has a value of type {type(value).__name__}"


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
