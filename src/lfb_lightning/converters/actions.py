"""Finding the actions of a box, which annotation tools store as labels, checkboxes, selections, texts or numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from lfb_lightning.converters.annotated_box import Action, Notes
from lfb_lightning.errors import InputError

LABEL = "label"
_UNSET = ("", "false", "__undefined__", "none")
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?")
_LONGEST_NAME = 200
_LARGEST_ID = 10_000  # a model has a score column per id

Attributes = Sequence[tuple[str, str]]


def actions_of(
    labels: Sequence[str], attributes: Attributes, *, action_from: Sequence[str], where: str, notes: Notes
) -> tuple[Action, ...]:
    """Find the actions of a box.

    Without `action_from`, a checked attribute is an action with the attribute's name, and a selection or text is an action
    with the value's name. A box without attributes has its labels as actions. Numbers are action ids if all attributes are
    numbers and the attribute's name says that they are actions. A box whose attributes are all unset has no action: its
    label says what it is (a person), not what it does.

    Args:
        labels: The box's labels.
        attributes: Name and value of each of its attributes.
        action_from: Names of the attributes that hold actions; `label` for the labels.
        where: The box, for messages.
        notes: Collects what the user is told about numbers that are not used.

    Returns:
        Each action once, as a name or as an id.

    Raises:
        InputError: The attributes are numbers, and nothing says that they are actions.
    """
    if action_from:
        chosen = [action for name, value in attributes if name in action_from for action in _chosen(name, value, where)]
        return tuple(dict.fromkeys([*(_names(labels, where) if LABEL in action_from else []), *chosen]))
    if not attributes:
        return tuple(_names(labels, where))
    worded = [(name, value) for name, value in attributes if not _NUMBER.fullmatch(value.strip())]
    numbers = [(name, value) for name, value in attributes if _NUMBER.fullmatch(value.strip())]
    if worded:
        found = [action for name, value in worded for action in _chosen(name, value, where)]
        if found:
            for name, _ in numbers:
                notes.say(f"the number attribute {name[:60]!r} is not used: the actions are words (see --action-from)")
        return tuple(dict.fromkeys(found))
    ids = [action for name, value in numbers if "action" in name.lower() for action in _chosen(name, value, where)]
    if not ids:
        raise InputError(
            f"{where}: its attributes {[name for name, _ in numbers]} are numbers; say what holds the action: --action-from "
            f"{numbers[0][0]!r}, or --action-from {LABEL} for its label {' '.join(labels)[:60]!r}."
        )
    return tuple(dict.fromkeys(ids))


def person_in(attributes: Mapping[str, str], name: str) -> Action | None:
    """Return the person's identity from the attribute of this name: a number or a text, None where it is not set."""
    value = attributes.get(name, "").strip()
    if value.lower() in _UNSET or re.fullmatch(r"-\d+", value):  # -1 is "no track" in tracking files
        return None
    return int(value) if value.isdecimal() and len(value) < 10 else value


def _chosen(name: str, value: str, where: str) -> list[Action]:
    value = value.strip()
    if value.lower() in _UNSET:
        return []
    if value.lower() == "true":
        return _names([name], where)
    if not _NUMBER.fullmatch(value):
        return _names([value], where)
    number = float(value)
    if not number.is_integer() or not 1 <= number <= _LARGEST_ID:
        raise InputError(f"{where}: attribute {name!r} is {value[:30]}, expected an action id from 1 to {_LARGEST_ID}.")
    return [int(number)]


def _names(texts: Sequence[str], where: str) -> list[Action]:
    long = next((text for text in texts if len(text) > _LONGEST_NAME), None)
    if long is not None:
        raise InputError(f"{where}: action {long[:60]!r}... is longer than {_LONGEST_NAME} letters; rename it.")
    return [name for text in texts if (name := " ".join(text.split()))]
