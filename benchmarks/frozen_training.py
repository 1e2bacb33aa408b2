"""`python -m benchmarks.frozen_training [--rounds N] [--only PART]`: full fine-tuning against FBO training on a frozen backbone's bank.

One clip of ViT-L (16 x 224 x 320, three persons) and of SlowOnly R50 (4 x 224 x 320) goes forward as in an extraction, and
forward and backward as in fine-tuning, in turn. FBO-NL and the head are trained by Lightning, as `data.short_term=bank` does
it, from a bank of 1024 channels on the disk with AVA's density. Everything runs on one thread; figures are CPU seconds per
key frame. What training on AVA costs is multiplied from them, and what it would cost on a GPU is estimated from operations.
"""

from __future__ import annotations

import argparse
import logging
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import hydra
import numpy as np
import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lfb_lightning.bank import BankConfig, BankWriter, Provenance, finish_bank
from lfb_lightning.cli.conf_dir import conf_dir
from lfb_lightning.clips import ClipSettings
from lfb_lightning.clock import Clock
from lfb_lightning.lightning import ActionDataModule, DetectionTask, Optimization
from lfb_lightning.lightning.datamodules.loading import Loading
from lfb_lightning.models import ActionDetector, FBONone, FBONonLocal, MultiLabelLoss, RoIFeatures
from lfb_lightning.structures import Item, Keyframe

HEIGHT, WIDTH, PERSONS, ACTIONS = 224, 320, 3, 81
TRAIN, VAL = 184_005, 57_371  # AVA 2.2's annotated key frames: lines 144 and 85 of FACTS.md, section 3
FULL_EPOCHS, FROZEN_EPOCHS = 20, 10  # of videomae_vit_l and of lfb_nl_videomae_vit_l
BACKBONES = {
    "ViT-L": (["backbone=vit_l", "backbone.gradient_checkpointing=true"], 16, 4),
    "SlowOnly R50": (["backbone=slowonly_r50"], 4, 3),
}  # overrides, frames, and how often a forward pass's operations a training step has
VIDEOS, SECONDS, CHANNELS = 40, 897, 1024  # of the bank; an epoch's cost per key frame does not depend on the videos
STEPS, FIRST = 40, 8
GPU_OPERATIONS = 312e12 * 0.4  # estimate: an A100's peak in bf16, of which 40 % are reached
DAY = 86_400.0


def backbone(name: str) -> nn.Module:
    with hydra.initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        return instantiate(hydra.compose("train", overrides=BACKBONES[name][0]).backbone)


def clip_works(name: str, device: str = "cpu") -> dict[str, Callable[[], object]]:
    """Make what is timed of a backbone: a clip's extraction, and a clip's part of a fine-tuning step."""
    frames = BACKBONES[name][1]
    with torch.device(device):
        built = backbone(name)
        detector = ActionDetector(backbone=built, roi_features=RoIFeatures(), fbo=FBONone(), num_classes=ACTIONS)
        clips = torch.randn(1, 3, frames, HEIGHT, WIDTH)
        rois = torch.tensor([[0, 10.0 * n, 20.0, 90.0 + 40 * n, 200.0] for n in range(PERSONS)])
        labels = torch.zeros(PERSONS, ACTIONS)
        labels[:, 1:4] = 1.0
    loss = MultiLabelLoss()

    def extract() -> None:
        detector.eval()
        with torch.inference_mode():
            detector.short_term_features(clips, rois)

    def train() -> None:
        detector.train()
        detector.zero_grad(set_to_none=True)
        total, _ = loss.sum(detector(clips, rois), labels)
        total.backward()

    return {"extract": extract, "train": train}


def operations(name: str) -> float:
    """Count the operations of a clip's forward pass, without computing it."""
    with torch.device("meta"):
        built = backbone(name).eval()
        clips = torch.empty(1, 3, BACKBONES[name][1], HEIGHT, WIDTH)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        built(clips)
    return float(counter.get_total_flops())


class Split:
    """A training split whose labels are drawn: what `StoredPersons` asks of one."""

    name = "train"
    clock = Clock.parse(1)

    def training_items(self) -> list[Item]:
        seconds = range(902, 902 + SECONDS)
        keyframes = [Keyframe(f"video_{n:05d}", second) for n in range(VIDEOS) for second in seconds]
        return [Item(number, keyframe) for number, keyframe in enumerate(keyframes)]

    evaluation_items = training_items

    def columns(self) -> Any:
        return SimpleNamespace(number=ACTIONS, has_background=True, names=None)

    def stored_labels(self, keyframe: Keyframe, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(keyframe.timestamp)
        return rng.random((len(boxes), ACTIONS)) < 0.03, np.ones(len(boxes), dtype=bool)

    def stored_scored(self, scores: np.ndarray) -> np.ndarray:
        return scores >= 0


def make_bank(folder: Path) -> None:
    """Write a bank of AVA's density: 2.3 persons per second (FACTS.md, section 3)."""
    made = Provenance.unknown(
        channels=CHANNELS, precision="fp16", keyframes="proposals", split="train", origin="a benchmark"
    )
    writer, rng = BankWriter(folder / "train", made), np.random.default_rng(0)
    names = [f"video_{number:05d}" for number in range(VIDEOS)]
    for name in names:
        counts = np.minimum(rng.poisson(1.3, SECONDS) + 1, 12)
        timestamps = torch.from_numpy(np.repeat(np.arange(902, 902 + SECONDS), counts))
        rows = len(timestamps)
        if not writer.is_finished(name):
            writer.write(
                name,
                timestamps=timestamps,
                boxes=torch.rand(rows, 4, dtype=torch.float64),
                scores=torch.from_numpy(rng.uniform(0.9, 1, rows)),
                features=torch.randn(rows, CHANNELS),
            )
    finish_bank(folder / "train", made, names)


class Times(pl.Callback):
    """The CPU seconds at the end of each step."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        self.ends.append(time.process_time())


class Stub(nn.Module):
    """Stands for the frozen backbone, which is never run."""

    out_channels, stride = CHANNELS, 16


def frozen_epoch(folder: Path, batch_size: int) -> list[float]:
    """Train FBO-NL and the head on the bank; give the CPU seconds per key frame of each step."""
    torch.manual_seed(0)
    fbo = FBONonLocal(channels=CHANNELS)
    detector = ActionDetector(
        backbone=Stub(), roi_features=RoIFeatures(), fbo=fbo, num_classes=ACTIONS, frozen_backbone=True
    )
    data = ActionDataModule(
        SimpleNamespace(split=lambda name: Split()),  # type: ignore[arg-type]
        clips=ClipSettings(),
        loading=Loading(batch_size=batch_size, num_workers=0, short_term="bank"),
        bank=BankConfig(dir=str(folder)),
        seed=0,
        channels=CHANNELS,
        reads_bank=True,
    )
    optimization = Optimization(
        optimizer=lambda parameters, lr: torch.optim.SGD(parameters, lr=lr, momentum=0.9), lr=0.04, base_batch_size=16
    )
    task = DetectionTask(
        detector=detector,
        loss=MultiLabelLoss(),
        optimization=optimization,
        evaluator=lambda threshold: SimpleNamespace(figures=["mAP"]),  # type: ignore[arg-type, return-value]
        batch_size=batch_size,
        num_training_batches=lambda: STEPS,
        config_text="",
    )
    times = Times()
    trainer = pl.Trainer(
        max_epochs=1, limit_train_batches=STEPS, limit_val_batches=0, accelerator="cpu", callbacks=[times], logger=False,
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(task, data)
    ends = times.ends[FIRST:]
    return [(after - before) / batch_size for before, after in pairwise(ends)]


def timed(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def spread(times: list[float]) -> str:
    return f"{median(times):.3g} ({min(times):.3g} to {max(times):.3g}, {len(times)} times)"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.frozen_training", description=__doc__)
    parser.add_argument("--rounds", type=int, default=2, help="how often each clip is timed")
    parser.add_argument("--only", choices=("clips", "bank"), help="one part; the table of AVA needs both")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    torch.manual_seed(0)
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    print(f"load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; one thread here\n")
    print("| measured, CPU seconds per key frame | median (lowest to highest) |\n|---|---|", flush=True)
    found: dict[str, list[float]] = {}
    if arguments.only != "bank":
        works = {f"{name}, {what}": work for name in BACKBONES for what, work in clip_works(name).items()}
        for _ in range(arguments.rounds):
            for title, work in reversed(works.items()):
                found.setdefault(title, []).append(timed(work))
        for title in works:
            print(f"| {title} | {spread(found[title])} |", flush=True)
    if arguments.only != "clips":
        with tempfile.TemporaryDirectory() as folder:
            make_bank(Path(folder))
            for batch_size in (16, 64) * arguments.rounds:
                found.setdefault(f"FBO-NL and head, batch {batch_size}", []).extend(
                    frozen_epoch(Path(folder), batch_size)
                )
        for batch_size in (16, 64):
            print(f"| FBO-NL and head, batch {batch_size} | {spread(found[f'FBO-NL and head, batch {batch_size}'])} |")
    if arguments.only is None:
        table(found)


def table(found: dict[str, list[float]]) -> None:
    """Print what AVA costs: the measured figures times its key frames and epochs, and the estimate for a GPU."""
    fbo = median(found["FBO-NL and head, batch 16"])
    print(
        f"\nAVA 2.2: {TRAIN:,} key frames of train, {VAL:,} of val; (E): estimated at {GPU_OPERATIONS:.0e} operations/s.\n"
    )
    print("| what | one core here, multiplied | one GPU (E) |\n|---|---|---|")
    for name, (_, _, factor) in BACKBONES.items():
        forward, train, extract = operations(name), *(median(found[f"{name}, {what}"]) for what in ("train", "extract"))
        rows = [
            (f"{name}, fine-tuned, {FULL_EPOCHS} epochs", train * TRAIN * FULL_EPOCHS, factor * FULL_EPOCHS * TRAIN),
            (f"{name}, banks of train and val, once", extract * (TRAIN + VAL), TRAIN + VAL),
        ]
        for title, seconds, passes in rows:
            print(f"| {title} | {seconds / DAY:,.1f} days | {forward * passes / GPU_OPERATIONS / 3600:.2g} h |")
    epoch = fbo * TRAIN
    print(f"| FBO-NL and head from the bank, an epoch | {epoch / 60:.0f} min | at most as long |")
    print(f"| the same, {FROZEN_EPOCHS} epochs | {epoch * FROZEN_EPOCHS / 3600:.1f} hours | at most as long |")
    saved = median(found["ViT-L, train"]) / fbo
    print(f"\nan epoch of FBO-NL and head costs 1/{saved:,.0f} of one of fine-tuning ViT-L")


if __name__ == "__main__":
    main()
