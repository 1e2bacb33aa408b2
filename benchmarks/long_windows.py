"""`python -m benchmarks.long_windows`: what ten minutes cost in cells, beside a minute and ten minutes of seconds.

The bank is of AVA's persons per second, fp16, 2048 channels, in the page cache; times are CPU milliseconds, medians of 25 batches
of 12 clips. `live` is what a live source remembers of ten minutes (`window=causal`): its rows, and what it costs to make
a bank of them and read the moment's window, as it does for every moment.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch

from lfb_lightning.bank import BankConfig, BankRows, BankWriter, FeatureBank, Provenance, finish_bank
from lfb_lightning.bank.window import window_generator
from lfb_lightning.structures import Keyframe

CHANNELS, VIDEOS, SECONDS, ROUNDS = 2048, 12, 897, 25
PERSONS, SHARES = [1, 2, 3, 5], [0.45, 0.25, 0.2, 0.1]
WINDOWS = {
    "60 s, grid": {},
    "600 s, hierarchical, 60 cells": {"layout": "hierarchical", "window_seconds": 600, "cells": 60},
    "600 s, strided, 60 cells": {"layout": "strided", "window_seconds": 600, "cells": 60},
    "600 s, grid": {"window_seconds": 600},
}


def rows_of(rng: np.random.Generator, seconds: int) -> BankRows:
    ticks = np.repeat(np.arange(902, 902 + seconds), rng.choice(PERSONS, seconds, p=SHARES))
    number = len(ticks)
    return BankRows(
        torch.from_numpy(ticks),
        torch.zeros(number, 4),
        torch.rand(number),
        torch.randn(number, CHANNELS).half().float(),
    )


def write(folder: Path, rng: np.random.Generator) -> FeatureBank:
    made = Provenance.unknown(channels=CHANNELS, precision="fp16", keyframes="given", split="val", origin="benchmark")
    writer = BankWriter(folder, made)
    for video in range(VIDEOS):
        writer.write(f"v{video}", **rows_of(rng, SECONDS)._asdict())
    finish_bank(folder, made, [f"v{video}" for video in range(VIDEOS)])
    return FeatureBank.open(folder)


def timed(bank: FeatureBank, config: BankConfig, *, training: bool, rng: np.random.Generator) -> tuple[float, int]:
    spec = config.window_spec(training=training)
    spent = []
    for batch in range(ROUNDS):
        keyframes = [Keyframe(f"v{video}", int(rng.integers(1202, 1500))) for video in range(VIDEOS)]
        generators = [window_generator(0, batch, keyframe) for keyframe in keyframes] if training else None
        began = time.process_time()
        window = bank.windows(keyframes, spec, generators)
        spent.append(1000 * (time.process_time() - began))
    return median(spent), int(window.mask.sum()) // VIDEOS


def live(seconds: int, rng: np.random.Generator) -> tuple[float, float, int]:
    config = BankConfig(dir="", layout="hierarchical", placement="causal", window_seconds=seconds, cells=60)
    rows = rows_of(rng, seconds)
    spent = []
    for _ in range(9):
        began = time.process_time()
        bank = FeatureBank.from_rows({"v": rows}, channels=CHANNELS, precision="fp16")
        bank.window(Keyframe("v", 901 + seconds), config.window_spec(training=False))
        spent.append(1000 * (time.process_time() - began))
    return median(spent), rows.features.numel() * 4 / 1e6, len(rows.scores)


def main() -> None:
    """Print the two tables."""
    argparse.ArgumentParser(prog="python -m benchmarks.long_windows", description=__doc__).parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    print("| window | slots | filled | random, ms | top_score, ms |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        bank = write(Path(folder) / "bank", rng)
        for name, keys in WINDOWS.items():
            config = BankConfig(dir="", **keys)
            (random, filled), (best, _) = (
                timed(bank, config, training=training, rng=rng) for training in (True, False)
            )
            slots = config.window_spec(training=False).slots
            print(f"| {name} | {slots} | {filled} | {random:.1f} | {best:.1f} |")
    print("\n| live | rows | MB | ms per moment |\n|---|---|---|---|")
    for seconds in (60, 600):
        spent, size, number = live(seconds, rng)
        print(f"| {seconds} s | {number} | {size:.1f} | {spent:.1f} |")


if __name__ == "__main__":
    main()
