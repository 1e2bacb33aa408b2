"""`python -m benchmarks.training_step [--only PART]`: what a training step costs beside the bare module, on one and two processes.

overhead: lfb-train's step, with its callbacks, against forward, loss, backward, clipping and optimizer written out, on the
same decoded batches in turn; windows are gathered and clips normalized in both. processes: `lfb-train` on mini-AVA, one
process on one core against two processes on a core each. switches: a step plain, channels last and compiled, on the GPU
where there is one.
"""

from __future__ import annotations

import argparse
import copy
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import hydra
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig

from benchmarks.timing import in_turn, seconds_of
from lfb_lightning.cli.building import build, build_detection, settle_columns, settle_process
from lfb_lightning.cli.conf_dir import conf_dir
from lfb_lightning.cli.sections import Sections
from lfb_lightning.cli.trainer import build_callbacks, build_trainer
from lfb_lightning.lightning import ActionDataModule
from lfb_lightning.lightning.callbacks.step_seeds import StepSeeds
from lfb_lightning.lightning.datamodules.bank_windows import with_windows
from lfb_lightning.mini_ava import MiniAVA, generate
from lfb_lightning.models.compiling import compile_detector

STEPS, FIRST, ROUNDS = 24, 6, 5


def composed(folder: Path, *overrides: str) -> DictConfig:
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        cfg = hydra.compose(
            "train",
            overrides=["experiment=mini_ava", f"paths.data_dir={folder / 'data'}", *overrides],
            return_hydra_config=True,
        )
    cfg.hydra.runtime.output_dir = str(folder / "run")
    hydra.core.hydra_config.HydraConfig.instance().set_config(cfg)
    return cfg


class Decoded(ActionDataModule):
    """Serves batches that are decoded already."""

    batches: list[Any]

    def train_dataloader(self) -> Any:
        return torch.utils.data.DataLoader(self.batches, batch_size=None, collate_fn=lambda batch: batch)


class Times(pl.Callback):
    """When each step ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        self.ends.append(time.perf_counter())


def bare(cfg: DictConfig, batches: list[Any], detector: Any, datamodule: ActionDataModule) -> list[float]:
    loss = build(cfg.loss)
    optimizer = build(cfg.optim).build(
        detector, global_batch_size=cfg.data.batch_size, steps_per_epoch=STEPS, epochs=1
    )["optimizer"]

    def windows(batch: Any) -> Any:
        return datamodule.banks.windows(datamodule.split("train"), batch, epoch=0, training=True)

    detector.train()
    ends = []
    for batch in batches:
        if datamodule.reads_bank:
            batch = with_windows(batch, windows)
        batch = datamodule.on_after_batch_transfer(batch, 0)
        value = loss(detector(batch.clips, batch.rois, batch.window), batch.labels)
        optimizer.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(detector.parameters(), 20.0)
        optimizer.step()
        ends.append(time.perf_counter())
    return ends


def ours(cfg: DictConfig, batches: list[Any], detector: Any, folder: Path) -> list[float]:
    task, datamodule = build_detection(Sections(cfg), detector, "", split="val")
    datamodule.__class__ = Decoded
    datamodule.batches = batches
    task.num_training_batches = lambda: len(batches)
    times = Times()
    trainer = build_trainer(cfg, folder / "run", [*build_callbacks(cfg), StepSeeds(cfg.seed), times], logging_on=True)
    trainer.fit(task, datamodule)
    return times.ends


def per_step(ends: list[float]) -> list[float]:
    return [after - before for before, after in zip(ends[FIRST:], ends[FIRST + 1 :], strict=False)]


def overhead() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        small = [
            "num_threads=1",
            "trainer.max_epochs=1",
            "trainer.limit_val_batches=0",
            "trainer.enable_progress_bar=false",
            "callbacks.progress_bar=null",
            "data.num_workers=0",
            f"bank.dir={folder / 'banks'}",
        ]
        cases = {
            "tiny backbone, fbo=nl, 8 clips of 96 x 96": ["fbo=nl", "data.batch_size=8"],
            "SlowOnly R50, fbo=none, 1 clip of 96 x 96": ["fbo=none", "backbone=slowonly_r50", "data.batch_size=1"],
        }
        print("| step | bare, ms | ours, ms | overhead, ms | of the bare step (each round) |\n|---|---|---|---|---|")
        for title, overrides in cases.items():
            cfg = composed(folder, *small, *overrides)
            settle_process(cfg)
            settle_columns(cfg)
            torch.manual_seed(0)
            detector = build(cfg.model)
            _, datamodule = build_detection(Sections(cfg), detector, "", split="val")
            datamodule.setup("fit")
            loader = datamodule.train_dataloader()
            batches = [batch for batch, _ in zip(loader, range(STEPS), strict=False)]
            plain, trained = [], []
            for _ in range(ROUNDS if "tiny" in title else 3):
                plain.append(statistics.median(per_step(bare(cfg, batches, copy.deepcopy(detector), datamodule))))
                trained.append(statistics.median(per_step(ours(cfg, batches, copy.deepcopy(detector), folder))))
            one, two = statistics.median(plain), statistics.median(trained)
            rounds = ", ".join(f"{b / a - 1:+.1%}" for a, b in zip(plain, trained, strict=True))
            print(
                f"| {title} | {1000 * one:.1f} | {1000 * two:.1f} | {1000 * (two - one):.1f} | {two / one - 1:+.1%} ({rounds}) |",
                flush=True,
            )


def prepare(folder: Path) -> None:
    """mini-AVA with a baseline and its training bank."""
    generate(folder / "data", MiniAVA(seed=0, num_train=12, num_val=2, seconds=30))
    common = [
        "experiment=mini_ava",
        f"paths.data_dir={folder / 'data'}",
        f"bank.dir={folder / 'banks'}",
        "data.num_workers=0",
    ]
    command(
        "train",
        *common,
        "fbo=none",
        "trainer.max_epochs=1",
        "trainer.limit_train_batches=2",
        f"hydra.run.dir={folder / 'baseline'}",
    )
    for split in ("train", "val"):
        command(
            "extract",
            *common,
            f"split={split}",
            f"ckpt_path={folder}/baseline/checkpoints/best.ckpt",
            f"hydra.run.dir={folder / split}",
        )


def command(name: str, *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"lfb_lightning.cli.{name}", *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def processes() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(folder)
        overrides = [
            "experiment=mini_ava",
            f"paths.data_dir={folder / 'data'}",
            f"bank.dir={folder / 'banks'}",
            "fbo=nl",
            "num_threads=1",
            "data.num_workers=0",
            "data.batch_size=8",
        ]
        overrides += [
            "trainer.max_epochs=3",
            "trainer.limit_train_batches=18",
            "trainer.limit_val_batches=0",
            "trainer.enable_progress_bar=false",
            "callbacks.progress_bar=null",
        ]
        print("| clips/s | one process, one core | two processes, a core each | ratio |\n|---|---|---|---|")
        for round_ in range(ROUNDS):
            one, two = (throughput(folder, overrides, ranks, f"{round_}_{ranks}") for ranks in (1, 2))
            print(f"| round {round_ + 1} | {one:.1f} | {two:.1f} | {two / one:.2f} |", flush=True)


def throughput(folder: Path, overrides: list[str], ranks: int, name: str) -> float:
    """Clips a second of all ranks, each pinned to a core, as lfb-train itself reports them."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    started = []
    for rank in range(ranks):
        distributed = (
            {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "NODE_RANK": str(rank), "LOCAL_RANK": "0"}
            if ranks > 1
            else {}
        )
        nodes = [f"trainer.num_nodes={ranks}", "trainer.devices=1", "trainer.strategy=ddp"] if ranks > 1 else []
        arguments = [
            "taskset",
            "-c",
            str(rank),
            sys.executable,
            "-m",
            "lfb_lightning.cli.train",
            *overrides,
            *nodes,
            f"hydra.run.dir={folder / name}",
        ]
        started.append(
            subprocess.Popen(
                arguments,
                env={**os.environ, **distributed, "OMP_NUM_THREADS": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
    outputs = [process.communicate(timeout=300)[0] for process in started]
    found = re.search(r"a step took .*; ([\d.]+) clips/s", outputs[0])
    assert found is not None, outputs[0][-3000:]
    return float(found[1])


def take_step(
    detector: torch.nn.Module, optimizer: torch.optim.Optimizer, clips: torch.Tensor, rois: torch.Tensor, precision: str
) -> None:
    with torch.autocast(clips.device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
        loss = detector(clips, rois).float().square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def switches() -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    size, clips_a_step = (256, 8) if device == "cuda" else (128, 2)
    where = torch.cuda.get_device_name() if device == "cuda" else f"CPU, {torch.get_num_threads()} threads"
    print(f"SlowOnly R50, fbo=none, {clips_a_step} clips of 4 x {size} x {size}, training step, {where}\n")
    print("| precision | layout | compiled | first step, s | step, ms | clips/s |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        for precision in ("fp32", "bf16"):
            for layout in ("false", "true"):
                for compiled in (False, True):
                    overrides = ["backbone=slowonly_r50", f"backbone.channels_last={layout}", "fbo=none"]
                    cfg = composed(Path(name), *overrides, "model.num_classes=15")
                    detector = build(cfg.model).to(device)
                    if compiled:
                        compile_detector(detector)
                    optimizer = torch.optim.SGD(detector.parameters(), lr=0.01)
                    clips = torch.randn(clips_a_step, 3, 4, size, size, device=device)
                    rois = torch.tensor(
                        [[clip, 10.0, 10.0, size - 20.0, size - 20.0] for clip in range(clips_a_step)], device=device
                    )
                    work = partial(take_step, detector, optimizer, clips, rois, precision)
                    first = seconds_of(work, device=device)
                    rounds = 20 if device == "cuda" else 4
                    step = statistics.median(in_turn({"": work}, rounds=rounds, warm_up=2, device=device)[""])
                    print(
                        f"| {precision} | {'channels last' if layout == 'true' else 'contiguous'} | {'yes' if compiled else 'no'} | {first:.1f} | {1000 * step:.0f} | {clips_a_step / step:.1f} |",
                        flush=True,
                    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_step", description=__doc__)
    parser.add_argument("--only", choices=["overhead", "processes", "switches"])
    only = parser.parse_args().only
    warnings.simplefilter("ignore")
    for name, part in (("overhead", overhead), ("processes", processes), ("switches", switches)):
        if only in (None, name):
            print(f"\n## {name}\n", flush=True)
            part()


if __name__ == "__main__":
    main()
