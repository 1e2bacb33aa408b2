"""What a check has found wrong, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check has found.

    Args:
        level: "error" (training would fail, or its numbers be wrong), "warning", or "note" (nothing is wrong if it is
            meant).
        split: The split that it is about.
        what: What was found.
        remedy: The next thing to do.
    """

    level: Level
    split: str
    what: str
    remedy: str


class Share(float):
    """A share of a whole, among the figures of a report: 0.939 in a file, 93.9% for people."""

    def __str__(self) -> str:
        """Write the share in percent, with one digit after the point."""
        return f"{float(self):.1%}"


@dataclass(slots=True)
class SplitReport:
    """What a check says of a split.

    Args:
        split: Its name.
        figures: Numbers, texts and lists by name. A `Share` is shown in percent.
        findings: What is wrong, or may be.
        classes: How often each action is shown, by its name; empty where the data set does not count them.
        counted: What `classes` counts.
    """

    split: str
    figures: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    classes: dict[str, int] = field(default_factory=dict)
    counted: str = "persons who show an action"

    def add(self, level: Level, what: str, remedy: str) -> None:
        """Add a finding about this split."""
        self.findings.append(Finding(level, self.split, what, remedy))

    def error(self, what: str, remedy: str) -> None:
        """Add a finding that makes the data unusable as it is."""
        self.add("error", what, remedy)

    def warn(self, what: str, remedy: str) -> None:
        """Add a finding that may be meant so."""
        self.add("warning", what, remedy)
