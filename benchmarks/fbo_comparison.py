"""`python -m benchmarks.fbo_comparison [--out DIR] [--seeds 0 1 2]`: what identity and a long window bring over FBO-NL.

For each seed, mini-AVA and mini-AVA hard are generated, a backbone is trained on each, and its bank is made; every FBO is then
trained from that bank alone, one process at a time. What is finished is not run again, so an interrupted run goes on with the
same command, and `--models` or `--data` add to it; the table is printed of whatever is there.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

DATA = {"mini_ava": [], "mini_ava_hard": ["--hard"]}
NL = ["fbo=nl_small"]  # the paper's operator as the quickstart has it: narrow, standardized inputs
XATTN = ["fbo=xattn", "fbo.latent_channels=64", "fbo.num_heads=4", "fbo.dropout=0.1"]
LONG = ["bank.layout=hierarchical", "bank.window_seconds=64", "bank.cells=32"]  # for 16 s in a grid
MODELS: Mapping[str, Sequence[str]] = {
    "none": [],
    "avg": ["fbo=avg", "fbo.mask_padding=true"],
    "max": ["fbo=max", "fbo.mask_padding=true"],
    "nl": NL,
    "xattn": XATTN,
    "xattn, identity": [*XATTN, "fbo.identity=true"],
    "xattn, long window": [*XATTN, *LONG],
    "xattn, identity, long window": [*XATTN, "fbo.identity=true", *LONG],
    "nl, long window": [*NL, *LONG],
}
COLUMNS = ("long-term", "overall")


class Comparison:
    """The folder of one seed's data set, and the commands that fill it.

    Args:
        folder: The folder.
        data: The option of the group `data`.
        seed: Of the data and of training.
    """

    def __init__(self, folder: Path, data: str, seed: int) -> None:
        self.folder = folder.resolve()
        self.data = data
        self.seed = seed

    def run(self, models: Sequence[str]) -> None:
        """Make what is missing."""
        data_dir = self.folder / "data"
        recipe = [str(data_dir), *DATA[self.data], f"--seed={self.seed}"]
        self._stage("data", data_dir / "mini_ava.json", ["lfb_lightning.mini_ava", *recipe])
        own = [f"data={self.data}", f"paths.data_dir={data_dir}", f"bank.dir={self.folder / 'banks'}"]
        checkpoint = self.folder / "none" / "checkpoints" / "best.ckpt"
        self._train("none", ["experiment=mini_ava", *own, "fbo=none"])
        for split in ("train", "val"):
            command = ["lfb_lightning.cli.extract", "experiment=mini_ava", *own, f"split={split}"]
            command += [f"ckpt_path={checkpoint}", f"hydra.run.dir={self.folder / 'extract' / split}"]
            self._stage(f"bank {split}", self.folder / "banks" / split / "manifest.json", command)
        for model in models:
            if model != "none":
                overrides = ["experiment=mini_ava_lfb", *own, f"init_from={checkpoint}", "data.num_workers=0"]
                self._train(model, [*overrides, *MODELS[model]])

    def figures(self, model: str) -> dict[str, float] | None:
        """Read what a model reached on val after its last epoch, by column; None where it is not finished."""
        path = self._run_dir(model) / "metrics.json"
        if not path.is_file():
            return None
        found = json.loads(path.read_text())
        return dict(zip(COLUMNS, (found["groups"]["long_term"], found["mAP"]), strict=True))

    def _run_dir(self, model: str) -> Path:
        return self.folder / model.replace(", ", "_").replace(" ", "_")

    def _train(self, model: str, overrides: Sequence[str]) -> None:
        run_dir = self._run_dir(model)
        resume = ["ckpt_path=last"] if (run_dir / "checkpoints" / "last.ckpt").is_file() else []
        command = ["lfb_lightning.cli.train", *overrides, f"seed={self.seed}", f"hydra.run.dir={run_dir}", *resume]
        self._stage(model, run_dir / "metrics.json", command)

    def _stage(self, name: str, product: Path, command: Sequence[str]) -> None:
        if product.is_file():
            return
        log = self.folder / "logs" / f"{name.replace(', ', '_').replace(' ', '_')}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        with log.open("w") as file:
            environment = {**os.environ, "OMP_NUM_THREADS": "1"}
            done = subprocess.run(
                [sys.executable, "-m", *command], stdout=file, stderr=subprocess.STDOUT, env=environment
            )
        if done.returncode:
            raise SystemExit(f"{self.data}, seed {self.seed}, {name}: failed, see {log}")
        print(f"{self.data}, seed {self.seed}, {name}: {time.monotonic() - began:.0f} s", flush=True)


def table(comparisons: Sequence[Comparison], data: str) -> str:
    """Draw the table of a data set: mean over the seeds that are there, lowest and highest."""
    lines = ["| FBO | " + " | ".join(COLUMNS) + " | seeds |", "|---|" + "---|" * (len(COLUMNS) + 1)]
    for model in MODELS:
        found = {one.seed: one.figures(model) for one in comparisons if one.data == data}
        there = {seed: figures for seed, figures in found.items() if figures is not None}
        if not there:
            continue
        cells = []
        for column in COLUMNS:
            values = [100 * figures[column] for figures in there.values()]
            cells.append(f"{mean(values):.1f} ({min(values):.1f} .. {max(values):.1f})")
        lines.append(f"| {model} | " + " | ".join(cells) + f" | {', '.join(map(str, sorted(there)))} |")
    return "\n".join(lines)


def main() -> None:
    """Parse the command line, run what is missing, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fbo_comparison", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("fbo_comparison"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA))
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--table", action="store_true", help="run nothing, only print what is there")
    arguments = parser.parse_args()
    comparisons = [
        Comparison(arguments.out / f"seed_{seed}" / data, data, seed)
        for seed in arguments.seeds
        for data in arguments.data
    ]
    if not arguments.table:
        for comparison in comparisons:
            comparison.run(arguments.models)
    for data in arguments.data:
        print(f"\n{data} val, frame-mAP@0.5 in points, mean (lowest .. highest)\n\n{table(comparisons, data)}")


if __name__ == "__main__":
    main()
