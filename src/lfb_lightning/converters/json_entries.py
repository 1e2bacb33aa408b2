"""Reading JSON objects with messages that name file, place and key when a value is missing or of another type."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from lfb_lightning.errors import InputError

_LARGEST_WHOLE = 10**9


@dataclass(frozen=True, slots=True)
class Entry:
    """An object of a JSON file, whose methods raise InputError for values that are missing or of another type.

    Args:
        content: The object.
        where: The file and the place in it, for messages.
    """

    content: dict[str, Any]
    where: str

    def __contains__(self, key: str) -> bool:
        return self.content.get(key) is not None

    def value(self, *keys: str, hint: str = "") -> Any:
        """Return the value of the first of these keys that exists; `hint` is added to the message if none does."""
        for key in keys:
            if key in self:
                return self.content[key]
        raise InputError(f"{self.where}: no '{keys[0]}'{''.join(f' (nor {key!r})' for key in keys[1:])}{hint}.")

    def text(self, *keys: str, hint: str = "") -> str:
        """Return a text; whole numbers are read as texts too, so that the ids 1 and "1" are the same."""
        value = self.value(*keys, hint=hint)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise self._unexpected(keys, value, "a text or a whole number")
        return str(value)

    def number(self, *keys: str) -> float:
        """Return a finite number."""
        return _number(self.value(*keys), lambda value: self._unexpected(keys, value, "a number"))

    def whole(self, *keys: str, hint: str = "") -> int:
        """Return a whole number from 0 to 10^9."""
        value = self.value(*keys, hint=hint)
        number = _number(value, lambda found: self._unexpected(keys, found, "a whole number"))
        if not number.is_integer() or not 0 <= number <= _LARGEST_WHOLE:
            raise self._unexpected(keys, value, f"a whole number from 0 to {_LARGEST_WHOLE}")
        return int(number)

    def numbers(self, key: str, count: int) -> list[float]:
        """Return a list of `count` finite numbers."""
        values = self.value(key)
        if not isinstance(values, list) or len(values) != count:
            raise self._unexpected((key,), values, f"a list of {count} numbers")
        return [_number(value, lambda _: self._unexpected((key,), values, f"{count} numbers")) for value in values]

    def entry(self, key: str, hint: str = "") -> Entry:
        """Return an object."""
        return entry_of(self.value(key, hint=hint), f"{self.where}, {key}")

    def entries(self, key: str, hint: str = "") -> list[Entry]:
        """Return a list of objects."""
        values = self.value(key, hint=hint)
        if not isinstance(values, list):
            raise self._unexpected((key,), values, "a list")
        return [entry_of(value, f"{self.where}, {key}[{index}]") for index, value in enumerate(values)]

    def _unexpected(self, keys: tuple[str, ...], value: Any, expected: str) -> InputError:
        key = next(key for key in keys if key in self)
        return InputError(f"{self.where}: '{key}' is {_short(value)}, expected {expected}.")


def entry_of(value: Any, where: str, expected: str = "an object") -> Entry:
    """Wrap a value that must be an object; raises InputError if it is something else.

    Args:
        value: A value of a JSON file.
        where: The file and the place in it, for messages.
        expected: What it should have been, for the message.
    """
    if not isinstance(value, dict):
        raise InputError(f"{where}: found {_short(value)}, expected {expected}.")
    return Entry(value, where)


def _number(value: Any, error: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e300 or not math.isfinite(value):
        raise error(value)
    return float(value)


def _short(value: Any) -> str:
    if isinstance(value, list | dict):
        return f"a {'list' if isinstance(value, list) else 'object'} of {len(value)}"
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**30 else "a very large number"
    return text if len(text) <= 60 else f"{text[:60]}..."
