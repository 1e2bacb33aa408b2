"""Reads what a training run has logged: `logs/metrics.csv`, and `metrics_1.csv` ... of a resumed run's earlier parts.

A run that was killed leaves half a line at the end, and a file that is being written may be read at any moment: what is no
whole row is left out.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lfb_lightning.errors import InputError

_MOST_BYTES = 1 << 28  # 50 steps between two rows: a hundred million steps
_MOST_POINTS = 1000  # per curve; a screen has fewer columns
_AXES = ("step", "epoch")
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """The values of one name over the steps of a run.

    Args:
        name: As it was logged, such as `train/loss_step`.
        steps: Ascending steps.
        values: The values; None where one was NaN or infinite.
    """

    name: str
    steps: list[int]
    values: list[float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Everything that a run has logged.

    Args:
        curves: One per name that has values, in the files' order.
        epochs: Pairs of a step and the number of epochs that had ended there, ascending.
        not_finite: How many values were NaN or infinite.
        damaged: How many lines were no whole row.
    """

    curves: list[Curve]
    epochs: list[tuple[int, int]]
    not_finite: int = 0
    damaged: int = 0


def read_log(folder: Path) -> Log | None:
    """Read the csv logs of a run; None if it has none.

    Args:
        folder: `logs` in the run folder.

    Raises:
        InputError: A file is too large or not a csv file.
    """
    points: dict[str, dict[int, float]] = {}
    epochs: dict[int, int] = {}
    damaged = 0
    paths = _parts(folder)
    for path in paths:
        first = True
        for row in _rows(path):
            if row is None:
                damaged += 1
                continue
            step = int(row["step"])
            if first:  # the run went on from an earlier step: what was logged after it is logged again
                points = {name: _before(step, known) for name, known in points.items()}
                epochs = _before(step + 1, epochs)
                first = False
            for name, value in row.items():
                if name not in _AXES:
                    points.setdefault(name, {})[step] = value
            if "epoch" in row and math.isfinite(row["epoch"]) and any(name.endswith("_epoch") for name in row):
                epochs[step + 1] = int(row["epoch"]) + 1
    values = [value for known in points.values() for value in known.values()]
    return None if not paths else Log(
        curves=[_curve(name, points[name]) for name in points],
        epochs=sorted(epochs.items()),
        not_finite=sum(not math.isfinite(value) for value in values),
        damaged=damaged,
    )  # fmt: skip


def _parts(folder: Path) -> list[Path]:
    """List the files in the order in which they were written."""
    numbered = [(int(number), path) for path in folder.glob("metrics_*.csv") if (number := path.stem[8:]).isdecimal()]
    last = folder / "metrics.csv"
    return [path for _, path in sorted(numbered)] + ([last] if last.is_file() else [])


def _rows(path: Path) -> Iterator[dict[str, float] | None]:
    """Yield the numbers of each row by name; None for a line that is no whole row."""
    if (size := path.stat().st_size) > _MOST_BYTES:
        raise InputError(f"log {path}: {size} bytes, expected at most {_MOST_BYTES}.")
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            lines = csv.reader(file)
            names = next(lines, [])
            for line in lines:
                yield _row(names, line)
    except (csv.Error, OSError) as error:
        raise InputError(f"log {path}: cannot be read ({error}).") from error


def _row(names: list[str], line: list[str]) -> dict[str, float] | None:
    if len(line) != len(names):
        return None
    try:
        row = {name: float(text) for name, text in zip(names, line, strict=True) if text}
    except ValueError:
        return None
    return row if 0 <= row.get("step", math.nan) < 1 << 53 else None


def _before(step: int, known: dict[int, _Value]) -> dict[int, _Value]:
    return {key: value for key, value in known.items() if key < step}


def _curve(name: str, points: dict[int, float]) -> Curve:
    """Make a curve of few enough points: of each stretch of steps, the lowest and the highest value stay."""
    ordered = sorted(points.items())
    if len(ordered) > _MOST_POINTS:
        width = math.ceil(2 * len(ordered) / _MOST_POINTS)
        kept: set[tuple[int, float]] = {ordered[0], ordered[-1]}
        for start in range(0, len(ordered), width):
            stretch = ordered[start : start + width]
            part = [point for point in stretch if math.isfinite(point[1])] or stretch[:1]
            kept |= {min(part, key=lambda point: point[1]), max(part, key=lambda point: point[1])}
        ordered = sorted(kept)
    return Curve(
        name=name,
        steps=[step for step, _ in ordered],
        values=[value if math.isfinite(value) else None for _, value in ordered],
    )
