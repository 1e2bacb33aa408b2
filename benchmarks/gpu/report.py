"""What was measured and what was left out: rows as they come, written as JSON after each, and printed as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.timing import Spread
from lfb_lightning.files.durable import write_json


@dataclass(frozen=True)
class Row:
    """What one case gave.

    Args:
        part: The part that it belongs to.
        case: What was measured.
        values: The figures by their names, which hold the unit.
        note: What else is to be said.
    """

    part: str
    case: str
    values: Mapping[str, Spread]
    note: str = ""


@dataclass(frozen=True)
class LeftOut:
    """A case, or a whole part, that gave nothing.

    Args:
        part: The part.
        case: The case; "" for all of it that is not there.
        reason: Why, in one line.
    """

    part: str
    case: str
    reason: str


@dataclass
class Report:
    """Everything that is known so far.

    Args:
        path: The JSON file; None: none is written.
        machine: What the machine is.
        rows: What was measured.
        left_out: What was not.
        seconds: How long each part took.
        finished: Whether every part had its turn.
    """

    path: Path | None
    machine: Mapping[str, Any]
    rows: list[Row] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    finished: bool = False

    def add(self, entry: Row | LeftOut) -> None:
        """Take one more, print it, and write the file anew."""
        if isinstance(entry, Row):
            self.rows.append(entry)
            print(f"{entry.part}: {entry.case}: {_figures(entry)}", flush=True)
        else:
            self.left_out.append(entry)
            print(f"{entry.part}: {entry.case or 'the rest'}: left out: {entry.reason}", flush=True)
        self.write()

    def write(self) -> None:
        """Write the file, whole or not at all."""
        if self.path is not None:
            content = asdict(self)
            del content["path"]
            write_json(self.path, content)

    def tables(self) -> Iterable[str]:
        """Draw a table per part, and one of what was left out."""
        yield "\n".join(f"* {name.replace('_', ' ')}: {value}" for name, value in self.machine.items())
        for part in dict.fromkeys(row.part for row in self.rows):
            rows = [row for row in self.rows if row.part == part]
            names = list(dict.fromkeys(name for row in rows for name in row.values))
            head = f"| {part} | " + " | ".join(names) + " | |\n|---|" + "---|" * (len(names) + 1)
            lines = [
                f"| {row.case} | "
                + " | ".join(str(row.values[name]) if name in row.values else "" for name in names)
                + f" | {row.note} |"
                for row in rows
            ]
            counts = {value.n for row in rows for value in row.values.values() if value.n > 1}
            said = f"\n\nMedian of {min(counts)} to {max(counts)} (lowest .. highest)." if counts else ""
            yield "\n".join([head, *lines]) + said
        if self.left_out:
            lines = [f"| {one.part} | {one.case or 'the rest'} | {one.reason} |" for one in self.left_out]
            yield "\n".join(["| left out | of it | why |\n|---|---|---|", *lines])


def _figures(row: Row) -> str:
    return ", ".join(f"{value} {name}" for name, value in row.values.items()) + (f" ({row.note})" if row.note else "")
