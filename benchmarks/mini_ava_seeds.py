"""`python -m benchmarks.mini_ava_seeds [--out DIR] [--seeds 0 1 2]`: the quickstart over several seeds, means and ranges.

Each seed makes its own data, trains all four models and evaluates them; finished ones are not run again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from statistics import mean

SCRIPT = Path(__file__).parents[1] / "scripts" / "quickstart.py"
COLUMNS = {"mAP": "overall", "short_term_mAP": "short-term", "long_term_mAP": "long-term"}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mini_ava_seeds", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("quickstart_seeds"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    summaries = []
    for seed in arguments.seeds:
        out = arguments.out / f"seed_{seed}"
        subprocess.run([sys.executable, str(SCRIPT), "--out", str(out), "--seed", str(seed)], check=True)
        summaries.append(json.loads((out / "summary.json").read_text()))
    print(f"\nmini-AVA val, frame-mAP@0.5 in points, mean of seeds {arguments.seeds} (lowest .. highest)\n")
    print("| model | " + " | ".join(COLUMNS.values()) + " |\n|---|" + "---|" * len(COLUMNS))
    for model in summaries[0]["models"]:
        cells = []
        for column in COLUMNS:
            values = [100 * summary["models"][model][column] for summary in summaries]
            cells.append(f"{mean(values):.1f} ({min(values):.1f} .. {max(values):.1f})")
        print(f"| {model} | " + " | ".join(cells) + " |")
    print("\n| stage | seconds, " + ", ".join(f"seed {seed}" for seed in arguments.seeds) + " |\n|---|---|")
    for stage in summaries[0]["seconds"]:
        print(f"| {stage} | " + ", ".join(f"{summary['seconds'][stage]:.0f}" for summary in summaries) + " |")


if __name__ == "__main__":
    main()
