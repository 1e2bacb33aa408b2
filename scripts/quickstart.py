"""The quickstart: a chain of stages, each a command that a user could type; finished ones are skipped.

Two stages run at the same time where neither needs the other's result. Everything is written below `--out`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from quickstart_data import DATA, MiniData
from quickstart_report import report
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Quickstart:
    """The folder of a quickstart, and the commands that fill it.

    Args:
        out: The folder.
        data: The generated data set.
        seed: Of the data and of training.
        sizes: Further options of what generates the data.
        extra: Overrides that every training gets.
        jobs: Stages that run at the same time.
    """

    def __init__(
        self, out: Path, data: MiniData, *, seed: int, sizes: list[str], extra: list[str], jobs: int = 2
    ) -> None:
        self.out = out.resolve()
        self.data = data
        self.seed = seed
        self.sizes = sizes
        self.extra = extra
        self.jobs = jobs
        self.models = ("baseline", *data.models)
        self.data_dir = self.out / "data"
        self.bank_dir = self.out / "banks"
        self.predicted = self.out / "predict"
        self.console = Console()
        self.progress = Progress(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), TextColumn("{task.fields[state]}")
        )
        self._seconds_file = self.out / "seconds.json"
        self._lock = threading.Lock()
        self.seconds: dict[str, float] = {}
        if self._seconds_file.is_file():
            self.seconds = json.loads(self._seconds_file.read_text())

    @property
    def extract_overrides(self) -> list[str]:
        """The overrides of `lfb-extract` besides its split and checkpoint."""
        return [f"experiment={self.data.name}", f"paths.data_dir={self.data_dir}", f"bank.dir={self.bank_dir}"]

    @property
    def train_overrides(self) -> list[str]:
        """The overrides of `lfb-train` that choose this data, these banks and the tiny backbone."""
        return [*self.extract_overrides, *self.extra]

    @property
    def lfb_overrides(self) -> list[str]:
        """The overrides for the LFB detectors, which start from the baseline and keep its backbone."""
        overrides = [f"experiment={self.data.name}_lfb", *self.train_overrides[1:]]
        return [*overrides, f"init_from={self.checkpoint('baseline')}"]

    def checkpoint(self, model: str) -> Path:
        """Return the path of a model's best checkpoint."""
        return self.out / "train" / model / "checkpoints" / "best.ckpt"

    def run(self) -> None:
        """Run all stages, then print the table and write pictures and summary."""
        self.out.mkdir(parents=True, exist_ok=True)
        name = self.data.name
        with self.progress, ThreadPoolExecutor(max_workers=self.jobs) as pool:
            generate = [f"lfb_lightning.{name}", str(self.data_dir), f"--seed={self.seed}", *self.sizes]
            self.stage("data", self.data_dir / f"{name}.json", generate)
            self.train("baseline", [*self.train_overrides, "fbo=none", *self.data.baseline])
            self.wait([pool.submit(self.extract, split) for split in ("train", "val")])
            more = self.data.more_banks(self.data_dir, self.bank_dir)
            self.wait([pool.submit(self.stage, stage, product, [*run]) for stage, (product, run) in more.items()])
            futures = [pool.submit(self.train_and_test, model) for model in self.data.models]
            futures.append(pool.submit(self.test, "baseline"))
            self.wait(futures[:1])  # nl is done, the others are on their way
            self.wait([*futures, pool.submit(self.predict)])
        report(
            self.out,
            self.data,
            self.models,
            data_dir=self.data_dir,
            checkpoints={model: self.checkpoint(model) for model in self.models},
            page=self.predicted / "page.html",
            seconds=self.seconds,
            more={
                "banks": {split: str(self.bank_dir / split) for split in ("train", "val")},
                "train_overrides": self.train_overrides,
                "lfb_overrides": self.lfb_overrides,
                "extract_overrides": self.extract_overrides,
            },
        )

    def train(self, model: str, overrides: list[str]) -> None:
        """Train one model, from its last checkpoint if it was interrupted."""
        run_dir = self.out / "train" / model
        resume = ["ckpt_path=last"] if (run_dir / "checkpoints" / "last.ckpt").is_file() else []
        arguments = [*overrides, f"seed={self.seed}", f"hydra.run.dir={run_dir}", *resume]
        self.stage(f"train {model}", run_dir / "metrics.json", ["lfb_lightning.cli", "train", *arguments])

    def extract(self, split: str) -> None:
        """Write the bank of a split."""
        arguments = [f"split={split}", f"ckpt_path={self.checkpoint('baseline')}", *self.extract_overrides]
        arguments += [f"hydra.run.dir={self.out / 'extract' / split}"]
        self.stage(
            f"bank {split}", self.bank_dir / split / "manifest.json", ["lfb_lightning.cli", "extract", *arguments]
        )

    def test(self, model: str) -> None:
        """Evaluate one model on the videos."""
        run_dir = self.out / "test" / model
        arguments = [f"ckpt_path={self.checkpoint(model)}", f"hydra.run.dir={run_dir}"]
        self.stage(f"test {model}", run_dir / "metrics.json", ["lfb_lightning.cli", "test", *arguments])

    def predict(self) -> None:
        """Show a video of val: what the first model says of it with memory, and the baseline without."""
        first = next(iter(self.data.models))
        arguments = [f"video={self.data_dir / 'videos' / self.data.video}", f"out={self.predicted}"]
        arguments += [f"ckpt_path={self.checkpoint(first)}", f"compare={self.checkpoint('baseline')}"]
        arguments += self.data.predict(self.data_dir)
        self.stage("predict", self.predicted / "prediction.json", ["lfb_lightning.cli", "predict", *arguments])

    def train_and_test(self, model: str) -> None:
        """Train and evaluate one LFB detector."""
        self.train(model, [*self.lfb_overrides, *self.data.models[model]])
        self.test(model)

    def stage(self, name: str, product: Path, module_and_arguments: list[str]) -> None:
        """Run `python -m module arguments` unless its product exists already; its output goes to a log file."""
        task = self.progress.add_task(name, total=1, state="")
        if product.is_file():
            self.progress.update(task, completed=1, state="done before")
            return
        log = self.out / "logs" / f"{name.replace(' ', '_')}.log"
        log.parent.mkdir(exist_ok=True)
        started = time.monotonic()
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # two stages run at the same time, with one core each
        with log.open("w") as file:
            command = [sys.executable, "-m", *module_and_arguments]
            process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)
            try:
                while process.poll() is None:
                    self.progress.update(task, state=latest_step(product.parent / "logs" / "metrics.csv"))
                    time.sleep(0.5)
            finally:
                process.terminate() if process.poll() is None else None
        if process.returncode != 0:
            self.progress.update(task, state=f"failed, see {log}")
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            raise SystemExit(f"stage '{name}' failed with status {process.returncode}; {log} ends with:\n{tail}")
        with self._lock:
            self.seconds[name] = round(time.monotonic() - started, 1)
            self._seconds_file.write_text(json.dumps(self.seconds, indent=1))
        self.progress.update(task, completed=1, state=f"done in {self.seconds[name]:.0f} s")
        if not self.console.is_terminal:
            self.console.print(f"{name}: {self.seconds[name]:.0f} s")

    @staticmethod
    def wait(futures: list[Future[None]]) -> None:
        """Wait for all stages and raise the first failure."""
        for future in futures:
            future.result()


def latest_step(path: Path) -> str:
    """Return the last epoch and step in a run's metrics.csv."""
    if not path.is_file():
        return ""
    with path.open() as file:
        rows = list(csv.DictReader(file))
    return f"epoch {rows[-1]['epoch']}, step {rows[-1]['step']}" if rows and rows[-1].get("epoch") else ""


def main() -> None:
    """Parse the command line and run the quickstart."""
    parser = argparse.ArgumentParser(prog="bash scripts/quickstart.sh", description=__doc__)
    parser.add_argument("--data", choices=DATA, default="mini_ava", help="generated data set (default: %(default)s)")
    parser.add_argument(
        "--out", type=Path, help="folder for everything (default: quickstart, quickstart_mini_charades, ...)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the data and of training")
    parser.add_argument("--num-train", type=int, help="training videos")
    parser.add_argument("--num-val", type=int, help="validation videos")
    parser.add_argument("--seconds", type=int, help="length of a video")
    parser.add_argument("--jobs", type=int, default=2, help="stages at the same time (default: %(default)s)")
    parser.add_argument("overrides", nargs="*", help="further overrides of every lfb-train, e.g. trainer.max_epochs=1")
    given = parser.parse_args()
    data = DATA[given.data]
    options = {"--num-train": given.num_train, data.val_option: given.num_val, "--seconds": given.seconds}
    sizes = [f"{option}={value}" for option, value in options.items() if value is not None]
    out = given.out or Path("quickstart" if given.data == "mini_ava" else f"quickstart_{given.data}")
    Quickstart(out, data, seed=given.seed, sizes=sizes, extra=given.overrides, jobs=given.jobs).run()


if __name__ == "__main__":
    main()
