"""The table of classes that a training and a test end with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WIDEST_NAME = 44  # of AVA's actions; the table stays within 80 columns


def class_table(columns: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Make lines with the AP of each class that has truth.

    Args:
        columns: What evaluators said of the same split (`Evaluator.summary`), by the heading of its column. Only those
            that say `per_class` have a table; `names`, `num_ground_truth` and `counted`, which says of what these are
            numbers (boxes, if nothing), are used if they are there.
    """
    first = next(iter(columns.values()), {})
    if not first.get("per_class"):
        return []
    names, counts = first.get("names", {}), first.get("num_ground_truth", {})
    keys = sorted((key for key in first["per_class"] if counts.get(key, 1)), key=lambda key: (len(key), key))
    width = min(max((len(str(names.get(key, key))) for key in keys), default=5), _WIDEST_NAME)
    lines = [_line("class", str(first.get("counted", "boxes")), [f"AP {name}" for name in columns], width)]
    for key in keys:
        values = [shown(summary.get("per_class", {}).get(key)) for summary in columns.values()]
        lines.append(_line(str(names.get(key, key)), str(counts.get(key, "")), values, width))
    return lines


def shown(value: float | None) -> str:
    """Return a figure as it is shown, from 0 to 1; a dash where there is none."""
    return "-" if value is None or value != value else f"{value:.4f}"


def _line(name: str, count: str, values: list[str], width: int) -> str:
    return "  ".join([f"{name[:width]:{width}}", f"{count:>7}", *(f"{value:>8}" for value in values)])
