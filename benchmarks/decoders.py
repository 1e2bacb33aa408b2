"""`python -m benchmarks.decoders [--seconds 60] [--rounds 5]`: PyAV beside torchcodec, one thread, in turn.

Clips of 4 frames, 16 apart, out of generated H.264 at 30 frames per second with a key picture every 250 frames: at random, each opening the
file anew as training does, and at every second in one pass as extraction does. Pictures are compared. With a GPU, NVDEC too.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from benchmarks.timing import Spread, in_turn, ratios
from benchmarks.videos import write_h264
from lfb_lightning.clips import ClipSampling
from lfb_lightning.video import Video, VideoFile
from lfb_lightning.video.torchcodec_file import TorchcodecFile

SIZES = ((340, 256), (640, 360), (1280, 720))
CLIPS = 12


def makers(path: Path) -> dict[str, Callable[[], Video]]:
    """Give what opens a file anew, by the decoder's name."""
    found: dict[str, Callable[[], Video]] = {
        "pyav": partial(VideoFile, path),
        "torchcodec": partial(TorchcodecFile, path),
    }
    if torch.cuda.is_available():
        found["nvdec"] = partial(TorchcodecFile, path, device="cuda")
    return found


def read_at_random(make: Callable[[], Video], times: Sequence[np.ndarray]) -> None:
    """Open the file for each clip."""
    for some in times:
        make().clip(some)


def read_in_one_pass(make: Callable[[], Video], times: np.ndarray) -> None:
    """Open the file once, and keep nothing."""
    for _ in make().stream(times):
        pass


def rows(path: Path, seconds: int, rounds: int, *, clock: Callable[[], float] = time.perf_counter) -> list[str]:
    """Measure a file; each row has a decoder's clips per second, and its time as a part of PyAV's."""
    every = np.stack([ClipSampling(4, 16, 30.0).times(float(second)) for second in range(2, seconds - 2)])
    chosen = every[np.random.default_rng(0).permutation(len(every))[:CLIPS]]
    found = []
    for what, work, times in (("random access", read_at_random, chosen), ("one pass", read_in_one_pass, every)):
        turns = {name: partial(work, make, times) for name, make in makers(path).items()}
        taken = in_turn(turns, rounds=rounds, clock=clock)
        for name in turns:
            rate, ratio = Spread.of(taken[name]).rate(len(times)), Spread.of(ratios(taken, name, "pyav"))
            found.append(f"| {what} | {name} | {rate} | {ratio} | {difference(path, name, chosen)} |")
    return found


def difference(path: Path, name: str, times: np.ndarray) -> int:
    """Compute by how much pictures differ from PyAV's, of 255."""
    made = makers(path)
    pairs = ((made[name]().clip(some).astype(int), made["pyav"]().clip(some)) for some in times[:3])
    return max(int(np.abs(one - other).max()) for one, other in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decoders", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cpu", action="store_true", help="count CPU time, on a machine that others use too")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    clock = time.process_time if asked.cpu else time.perf_counter
    print("| video | read | decoder | clips/s | time, of PyAV's | differs by, of 255 |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for width, height in SIZES:
            path = write_h264(Path(folder) / f"{width}.mp4", width=width, height=height, seconds=asked.seconds)
            for row in rows(path, asked.seconds, asked.rounds, clock=clock):
                print(f"| {width} x {height} {row}", flush=True)


if __name__ == "__main__":
    main()
