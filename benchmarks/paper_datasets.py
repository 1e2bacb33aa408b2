"""`python -m benchmarks.paper_datasets --data mini_charades [--seeds 0 1 2] [--out DIR]`: what a bank brings on the paper's other sets.

Each seed is a quickstart of its own: data, baseline, banks, every FBO, tests. What is finished is not run again, so an
interrupted run goes on with the same command, and `--table` only prints what is there. The last lines compare the means
with what was asked for.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import NamedTuple

from benchmarks.quickstart_seeds import Summary, run_seeds, table


class Wanted(NamedTuple):
    """A difference of two models' means, in points.

    Attributes:
        figure: Of `summary.json`.
        model: Its model.
        above: The model that it is compared with.
        points: By how much it must be above; negative: by how much it may be below.
    """

    figure: str
    model: str
    above: str
    points: float


WANTED: Mapping[str, Sequence[Wanted]] = {
    "mini_charades": [
        Wanted("long_term_mAP", "nl", "baseline", 40.0),
        Wanted("long_term_mAP", "nl", "max", 20.0),
    ],
    "mini_epic": [
        Wanted("noun", "nl", "max", 30.0),
        Wanted("verb", "nl", "baseline", -3.0),
    ],
}


def acceptance(summaries: Sequence[Summary], wanted: Sequence[Wanted]) -> str:
    """Draw a table of what was asked for and what was reached by the means over seeds."""
    lines = ["| figure | difference | wanted | reached | |", "|---|---|---|---|---|"]
    for figure, model, above, points in wanted:
        ours, theirs = (100 * mean(summary["models"][name][figure] for summary in summaries) for name in (model, above))
        reached = ours - theirs
        said = "yes" if reached >= points else "no"
        lines.append(f"| {figure} | {model} - {above} | {points:+.0f} | {reached:+.1f} | {said} |")
    return "\n".join(lines)


def main() -> None:
    """Parse the command line, run what is missing, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.paper_datasets", description=__doc__)
    parser.add_argument("--data", choices=WANTED, required=True)
    parser.add_argument("--out", type=Path, help="folder (default: paper_datasets/<data>)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=2, help="stages at the same time")
    parser.add_argument("--table", action="store_true", help="run nothing, only print what is there")
    given = parser.parse_args()
    out = given.out or Path("paper_datasets") / given.data
    summaries = run_seeds(out, given.seeds, data=given.data, jobs=given.jobs, only_finished=given.table)
    if not summaries:
        raise SystemExit(f"{out}: no seed is finished; run without --table.")
    seeds = ", ".join(map(str, summaries))
    print(f"\n{given.data}, in points, mean of seeds {seeds} (lowest .. highest)\n\n{table(list(summaries.values()))}")
    print(f"\n{acceptance(list(summaries.values()), WANTED[given.data])}")


if __name__ == "__main__":
    main()
