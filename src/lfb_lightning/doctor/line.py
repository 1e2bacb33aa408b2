"""A line of the report: a fact, how good it is, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_LONGEST_REASON = 400
Status = Literal["ok", "note", "problem"]


@dataclass(frozen=True, kw_only=True)
class Line:
    """One fact about this machine.

    Args:
        status: "ok"; "note" for what some uses will miss; "problem" for what makes commands fail or lie.
        what: What was found.
        remedy: What to do about it; empty where nothing is to be done.
    """

    status: Status
    what: str
    remedy: str = ""


@dataclass(frozen=True, kw_only=True)
class Section:
    """What one check found.

    Args:
        check: The check's name.
        lines: What it found, in its order.
        seconds: How long it took.
    """

    check: str
    lines: tuple[Line, ...]
    seconds: float


def ok(what: str) -> Line:
    """State a fact that is as it should be."""
    return Line(status="ok", what=what)


def note(what: str, remedy: str = "") -> Line:
    """State a fact that some uses will miss, with what to do about it."""
    return Line(status="note", what=what, remedy=remedy)


def problem(what: str, remedy: str) -> Line:
    """State a fact that makes commands fail, with what to do about it."""
    return Line(status="problem", what=what, remedy=remedy)


def failed_check(check: str, reason: str | Exception) -> Line:
    """State that a check could not say anything; the report goes on without it."""
    return problem(f"the check '{check}' could not be made: {worded(reason)}", remedy_of(reason))


def worded(reason: str | Exception) -> str:
    """Put a reason or an error into one line of a readable length."""
    text = reason if isinstance(reason, str) else f"{type(reason).__name__}: {reason}"
    return " ".join(text.split())[:_LONGEST_REASON]


def remedy_of(reason: str | Exception) -> str:
    """Say what to do about what went wrong while something was looked at."""
    if isinstance(reason, ImportError):
        return "first mend what the check of packages says"
    return "please report it, with these lines"
