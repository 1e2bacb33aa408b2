"""`python -m benchmarks.mini_ava_seeds [--out DIR] [--seeds 0 1 2]`: the quickstart over several seeds, means and ranges.

Each seed makes its own data, trains all four models and evaluates them; finished ones are not run again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.quickstart_seeds import run_seeds, table


def main() -> None:
    """Parse the command line, run what is missing, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mini_ava_seeds", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("quickstart_seeds"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    given = parser.parse_args()
    summaries = run_seeds(given.out, given.seeds)
    print(f"\nmini-AVA val, frame-mAP@0.5 in points, mean of seeds {given.seeds} (lowest .. highest)\n")
    print(table(list(summaries.values())))


if __name__ == "__main__":
    main()
