"""What became of every weight of an imported file."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

Fate = Literal["matched", "renamed", "reshaped", "unused", "missing"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One weight: its name there and here, what happened to it, and why if that needs saying."""

    source: str | None
    target: str | None
    fate: Fate
    reason: str = ""


@dataclass(slots=True)
class ImportReport:
    """Every key of the source and of the target, once."""

    layout: str
    entries: list[Entry] = field(default_factory=list)
    model: str = ""  # what was found to be in the file, where that is not a detector of persons

    def add(self, source: str | None, target: str | None, fate: Fate, reason: str = "") -> None:
        """Note what became of one weight.

        Args:
            source: Its name in the file, if it has one.
            target: Its name here, if it has one.
            fate: What became of it.
            reason: Why, if that needs saying.
        """
        self.entries.append(Entry(source, target, fate, reason))

    @property
    def unexplained(self) -> list[Entry]:
        """Weights that are unused or missing without a reason."""
        return [entry for entry in self.entries if entry.fate in ("unused", "missing") and not entry.reason]

    def first_unexplained(self) -> str:
        """The first of them by name, in a few words."""
        entries = self.unexplained
        shown = ", ".join(f"{(entry.source or entry.target or '')!r:.100} is {entry.fate}" for entry in entries[:3])
        return f"{shown}, and {len(entries) - 3} more" if len(entries) > 3 else shown

    @property
    def counts(self) -> dict[str, int]:
        """Weights by fate."""
        return dict(Counter(entry.fate for entry in self.entries))

    def text(self) -> str:
        """A summary line, then every weight that was not simply matched or renamed, grouped by reason."""
        lines = [f"{self.layout}: " + ", ".join(f"{number} {fate}" for fate, number in sorted(self.counts.items()))]
        lines += [f"  {self.model}"] if self.model else []
        grouped: dict[tuple[str, str], list[str]] = {}
        for entry in self.entries:
            if entry.fate in ("reshaped", "unused", "missing"):
                grouped.setdefault((entry.fate, entry.reason or "UNEXPLAINED"), []).append(
                    entry.source or entry.target or ""
                )
        for (fate, reason), names in grouped.items():
            shown = ", ".join(names[:3]) + (f", ... ({len(names)} in all)" if len(names) > 3 else "")
            lines.append(f"  {fate}: {shown}: {reason}")
        return "\n".join(lines)
