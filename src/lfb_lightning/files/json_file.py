"""Reading JSON within bounds of memory and depth.

Python's own reader takes 230 bytes of memory for the text `{"a":1}`, and raises `RecursionError` on a thousand opening
brackets. So the memory that a text can take is estimated from its punctuation before it is read, in some hundredths of a
second.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lfb_lightning.errors import InputError

# Bytes of memory for an object, a list, a value, and half a string (it has two quotation marks). Equal keys are stored as
# one string, so what follows a key subtracts its memory.
_MEMORY = {b"{": 240, b"[": 72, b",": 40, b'"': 30, b'":': -60}
_FREE_MEMORY = 1 << 30
_MEMORY_PER_BYTE = 10  # COCO detections of 70 bytes each take 8
_LONGEST_INTEGER = 300


def read_json(path: Path, *, what: str, remedy: str = "") -> Any:
    """Read a JSON file.

    Args:
        path: The file.
        what: What the file is to the user, for messages: `<what> <path>: not a readable json (...)`.
        remedy: What to do next, for the end of messages.

    Returns:
        The content, as Python's `json` returns it.

    Raises:
        InputError: The file is missing, is not JSON, or would take too much memory.
    """
    if not path.is_file():
        raise InputError(f"{what} {path}: no such file{remedy and f'; {remedy}'}.")
    try:
        return parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _unreadable(f"{what} {path}", error, remedy) from error


def read_json_object(path: Path, *, what: str, remedy: str = "") -> dict[str, Any]:
    """Read a JSON file that must hold an object.

    Args:
        path: The file.
        what: What the file is to the user, for messages.
        remedy: What to do next, for the end of messages.

    Raises:
        InputError: As `read_json`, and if the file holds something else than an object.
    """
    return _object(read_json(path, what=what, remedy=remedy), f"{what} {path}", remedy)


def parse_json_object(text: bytes, *, where: str, remedy: str = "") -> dict[str, Any]:
    """Read a JSON text that must hold an object.

    Args:
        text: The text.
        where: What it is of, for the beginning of messages.
        remedy: What to do next, for the end of messages.

    Raises:
        InputError: It is not JSON, would take too much memory, or holds something else than an object.
    """
    try:
        content = parse_json(text)
    except ValueError as error:
        raise _unreadable(where, error, remedy) from error
    return _object(content, where, remedy)


def parse_json(text: bytes) -> Any:
    """Read a JSON text; raises ValueError with a short reason if it is not JSON or would take too much memory."""
    memory = sum(text.count(mark) * each for mark, each in _MEMORY.items())
    if memory > max(_FREE_MEMORY, _MEMORY_PER_BYTE * len(text)):
        raise ValueError(f"its objects and lists could take {memory / 1e9:.1f} GB of memory")
    try:
        return json.loads(text.decode("utf-8-sig"), parse_int=_short_integer)
    except RecursionError as error:
        raise ValueError("its lists or objects are nested too deeply") from error


def _object(content: Any, where: str, remedy: str) -> dict[str, Any]:
    if not isinstance(content, dict):
        found = type(content).__name__
        raise InputError(f"{where}: holds a {found}, expected an object {{...}}{remedy and f'; {remedy}'}.")
    return content


def _unreadable(where: str, error: Exception, remedy: str) -> InputError:
    return InputError(f"{where}: not a readable json ({error}){remedy and f'; {remedy}'}.")


def _short_integer(text: str) -> int:
    if len(text) > _LONGEST_INTEGER:
        raise ValueError(f"it holds a number of {len(text)} digits")
    return int(text)
