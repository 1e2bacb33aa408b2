"""Quickstarts over several seeds, their means and ranges: the common part of two benchmarks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

SCRIPT = Path(__file__).parents[1] / "scripts" / "quickstart.py"
Summary = Mapping[str, Any]  # a quickstart's summary.json


def run_seeds(
    out: Path, seeds: Sequence[int], *, data: str = "mini_ava", jobs: int = 2, only_finished: bool = False
) -> dict[int, Summary]:
    """Run a quickstart for each seed; finished stages are not run again.

    Args:
        out: The folder of their folders.
        seeds: Of data and training.
        data: The generated data set.
        jobs: Stages that run at the same time.
        only_finished: Whether nothing is run.

    Returns:
        The summary of each seed that is finished.

    Raises:
        SystemExit: A quickstart failed; the same command goes on where it ended.
    """
    summaries = {}
    for seed in seeds:
        folder = out / f"seed_{seed}"
        if not only_finished:
            options = [f"--data={data}", f"--out={folder}", f"--seed={seed}", f"--jobs={jobs}"]
            if status := subprocess.run([sys.executable, str(SCRIPT), *options], check=False).returncode:
                raise SystemExit(status)  # it said why
        if (folder / "summary.json").is_file():
            summaries[seed] = json.loads((folder / "summary.json").read_text())
    return summaries


def figures(summary: Summary) -> list[str]:
    """Name the figures of a summary's models: what is neither a path nor a word."""
    return [name for name, value in next(iter(summary["models"].values())).items() if isinstance(value, float)]


def table(summaries: Sequence[Summary]) -> str:
    """Draw the table of figures in points, then that of seconds."""
    columns = figures(summaries[0])
    shown = [name.removesuffix("_mAP").replace("mAP", "overall").replace("_", "-") for name in columns]
    lines = ["| model | " + " | ".join(shown) + " |", "|---|" + "---|" * len(columns)]
    for model in summaries[0]["models"]:
        cells = []
        for column in columns:
            values = [100 * summary["models"][model][column] for summary in summaries]
            cells.append(f"{mean(values):.1f} ({min(values):.1f} .. {max(values):.1f})")
        lines.append(f"| {model} | " + " | ".join(cells) + " |")
    lines += ["", "| stage | seconds, seed by seed |", "|---|---|"]
    for stage in summaries[0]["seconds"]:
        lines.append(
            f"| {stage} | " + ", ".join(f"{summary['seconds'].get(stage, 0):.0f}" for summary in summaries) + " |"
        )
    return "\n".join(lines)
