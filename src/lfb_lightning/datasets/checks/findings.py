"""What a check has found wrong, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Level = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`level` "error" (training would fail or its numbers be wrong), "warning", or "note" (nothing is wrong if it is meant).

    `remedy` is the next thing to do.
    """

    level: Level
    split: str
    what: str
    remedy: str


@dataclass(slots=True)
class SplitReport:
    """Figures of a split by name, and findings."""

    split: str
    figures: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def add(self, level: Level, what: str, remedy: str) -> None:
        """Add a finding."""
        self.findings.append(Finding(level, self.split, what, remedy))

    def error(self, what: str, remedy: str) -> None:
        """Add an error."""
        self.add("error", what, remedy)

    def warn(self, what: str, remedy: str) -> None:
        """Add a warning."""
        self.add("warning", what, remedy)
