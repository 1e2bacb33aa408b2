"""What live recognition costs: the latency of a stream fed at real speed over loopback, and the memory of a looped hour.

    python -m benchmarks.live [--seconds 120] [--video FILE] [--persons ONNX] [--backbone tiny|r50]
    python -m benchmarks.live --memory [--hours 1]

Latency: another process sends H.264 (640x360, 30 pictures per second, unless `--video` says otherwise) as MPEG-TS through
TCP; a detector with FBO-NL and AVA's 81 columns, random weights, scores two walkers (`--persons`: whom that detector finds)
every second. The latency of a moment counts from when its picture came until its scores were there; 0.53 s of it are the
rest of the clip of 4 x 16. What was fed before the first decision, while the libraries warm up, is not counted.

Memory: the resident memory of the process while a minute of 160x120 at 5 pictures per second is looped as fast as it can
be, with two walkers per second; the slope is that of a straight line through all points but those of the first five minutes.
"""

from __future__ import annotations

import argparse
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.prediction import R50, TINY, boxes_at, resident, write_checkpoint
from benchmarks.videos import write_h264
from lfb_lightning.live import LiveRecognizer, LiveSettings
from lfb_lightning.persons import OnnxPersons, PersonSource
from lfb_lightning.prediction import LFBPredictor
from lfb_lightning.structures import Proposals

WARM_SECONDS = 5.0
MOST_LATENCY = 1.5
MOST_GROWTH = 1.0  # MB per hour of the source
BACKBONES = {"tiny": (TINY, 64), "r50": (R50, 512)}


class Walkers:
    """Two persons at every moment."""

    def find(self, frames: Sequence[Any], seconds: Sequence[float], video_id: str) -> list[Proposals]:
        return [Proposals(boxes_at(second, 2), np.ones(2)) for second in seconds]

    def describe(self) -> dict[str, Any]:
        return {"persons": "walkers"}


def measure_latency(
    folder: Path, *, seconds: float, video: Path | None, persons: PersonSource, backbone: str, threads: int
) -> None:
    torch.set_num_threads(threads)
    layers, latent = BACKBONES[backbone]
    checkpoint = write_checkpoint(folder / "nl.ckpt", layers, latent=latent, short_side=256)
    video = video or write_h264(folder / "v.mp4", width=640, height=360, seconds=60, fps=30, gop=60)
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{one.getsockname()[1]}"
    predictor = LFBPredictor.from_checkpoint(checkpoint, device="cpu", persons=persons)
    settings = LiveSettings(duration=seconds + WARM_SECONDS, reconnects=0, timeout=20.0)
    feed = [sys.executable, "-m", "tests.live.feeder", str(video), f"{address}?listen=1", "--loops", "100"]
    feeder = subprocess.Popen(feed, stderr=subprocess.DEVNULL)
    try:
        time.sleep(3)
        recognizer = LiveRecognizer(predictor, address, settings=settings)
        began, cpu = time.perf_counter(), time.process_time()
        made = list(recognizer)
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    finally:
        feeder.kill()
        feeder.wait()
    counted = sorted(moment.latency or 0 for moment in made if moment.second >= WARM_SECONDS)
    summary = recognizer.summary()
    print(
        f"{backbone}, {video.name}, {wall:.0f} s of wall time, {cpu / wall:.2f} cores, {len(counted)} moments counted\n"
    )
    print("| | wanted | reached |\n|---|---|---|")
    for name, value in (
        ("median", statistics.median(counted)),
        ("95 % within", counted[int(0.95 * (len(counted) - 1))]),
        ("at most", counted[-1]),
    ):
        print(f"| latency, {name}, s | <= {MOST_LATENCY} | {value:.2f} |")
    print(f"| of these, the rest of the clip | | {recognizer.tail:.2f} |")
    print(f"| persons, features and scores, median | | {statistics.median(one.computed for one in made):.2f} |")
    print(f"| moments left out; frames dropped | 0; 0 | {summary.left_out}; {summary.dropped} |")
    print(f"| frames; persons; tracks | | {summary.frames}; {summary.persons}; {summary.tracks} |")


def measure_memory(folder: Path, *, hours: float) -> None:
    torch.set_num_threads(1)
    checkpoint = write_checkpoint(folder / "tiny.ckpt", TINY, latent=64, short_side=64)
    minute = write_h264(folder / "minute.mp4", width=160, height=120, seconds=60, fps=5, gop=50)
    predictor = LFBPredictor.from_checkpoint(checkpoint, device="cpu", persons=Walkers())
    settings = LiveSettings(duration=3600 * hours, speed="max", loop=True)
    recognizer = LiveRecognizer(predictor, str(minute), settings=settings)
    points = []
    began = time.perf_counter()
    for number, moment in enumerate(recognizer, 1):
        if number % 60 == 0:
            points.append((moment.second / 3600, resident()))
    seconds = time.perf_counter() - began
    later = np.array([point for point in points if point[0] >= 5 / 60])
    slope, begin = np.polyfit(later[:, 0], later[:, 1], 1)
    off = np.abs(np.polyval([slope, begin], later[:, 0]) - later[:, 1]).max()
    summary = recognizer.summary()
    print(
        f"{summary.seconds / 60:.0f} minutes, {summary.frames:,} frames, {summary.persons:,} persons, in {seconds:.0f} s\n"
    )
    print("| | wanted | reached |\n|---|---|---|")
    print(
        f"| resident after 1, 5, {60 * hours:g} minutes, MB | | {points[0][1]:.1f}, {points[4][1]:.1f}, {points[-1][1]:.1f} |"
    )
    print(
        f"| growth, MB per hour | <= {MOST_GROWTH} | {slope:+.2f} (no point is more than {off:.2f} MB off the line) |"
    )
    print(f"| pictures held at once | <= {recognizer.ring.capacity} | {recognizer.ring.most_held} |")
    print(f"| moments remembered | <= 31 | {recognizer.recognition.remembered} |")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.live", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--video", type=Path)
    parser.add_argument("--persons", type=Path)
    parser.add_argument("--backbone", choices=sorted(BACKBONES), default="tiny")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--hours", type=float, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if asked.memory:
            measure_memory(Path(name), hours=asked.hours)
            return
        torch.set_num_threads(asked.threads)
        persons = Walkers() if asked.persons is None else OnnxPersons(weights=str(asked.persons), threshold=0.4)
        measure_latency(
            Path(name),
            seconds=asked.seconds,
            video=asked.video,
            persons=persons,
            backbone=asked.backbone,
            threads=asked.threads,
        )


if __name__ == "__main__":
    main()
