"""What a check has found wrong, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """`level` "error" (training would fail or its numbers be wrong) or "warning"; `remedy` is the next thing to do."""

    level: Literal["error", "warning"]
    split: str
    what: str
    remedy: str


@dataclass(slots=True)
class SplitReport:
    """Figures of a split by name, and findings."""

    split: str
    figures: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def error(self, what: str, remedy: str) -> None:
        """Add an error."""
        self.findings.append(Finding("error", self.split, what, remedy))

    def warn(self, what: str, remedy: str) -> None:
        """Add a warning."""
        self.findings.append(Finding("warning", self.split, what, remedy))
