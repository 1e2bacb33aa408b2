"""Refuses settings that are out of range or unknown, in a message that names their key."""

from __future__ import annotations

import math
from collections.abc import Mapping

from lfb_lightning.errors import InputError


def refuse_out_of_range(section: str, settings: object, ranges: Mapping[str, tuple[int | float, int | float]]) -> None:
    """Check fields of a settings object against their ranges; a field that is None is not set.

    Args:
        section: Section of the configuration that the fields are keys of, for the message.
        settings: Object with one attribute per key.
        ranges: Lowest and highest allowed value of each key, both included.

    Raises:
        InputError: The first value out of its range, with its key.
    """
    for name, (lowest, highest) in ranges.items():
        value = getattr(settings, name)
        if value is not None and not lowest <= value <= highest:
            expected = f"{lowest:g} to {highest:g}" if math.isfinite(highest) else f"at least {lowest:g}"
            raise InputError(f"{section}.{name} is {value}, expected {expected}.")


def refuse_unknown(section: str, settings: object, choices: Mapping[str, tuple[str, ...]]) -> None:
    """Check fields of a settings object against the words that they may be.

    Args:
        section: Section of the configuration that the fields are keys of, for the message.
        settings: Object with one attribute per key.
        choices: The known words of each key.

    Raises:
        InputError: The first value that is none of its words, with its key.
    """
    for name, known in choices.items():
        value = getattr(settings, name)
        if value not in known:
            raise InputError(f"{section}.{name} is {value!r}, expected one of {', '.join(known)}.")
