"""What a training clip costs on the host beside decoding: `python -m benchmarks.clips`.

A generated H.264 of 340 x 256; clips of 32 frames at 2 frames apart, as the paper's; one thread, CPU milliseconds per clip, medians
of rounds in turn. The normalization of before is written out: a new tensor for each of its four operations.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.videos import write_h264
from lfb_lightning.clips import ClipSampling
from lfb_lightning.clips.normalize import normalize
from lfb_lightning.structures import ClipBatch
from lfb_lightning.video import VideoFile

MEAN, STD = [0.45, 0.45, 0.45], [0.225, 0.225, 0.225]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clips", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--clips", type=int, default=4, help="clips per batch")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        video = VideoFile(write_h264(Path(name) / "video.mp4", width=340, height=256, seconds=20))
        times = ClipSampling(32, 2, 30.0).times(0.0)
        moments = np.linspace(3.0, 16.0, arguments.clips)
        clips = [torch.from_numpy(video.clip(times + moment)).permute(3, 0, 1, 2) for moment in moments]
        batch = batch_of(torch.stack(clips).contiguous())
        ways = {
            "decoding, random access": lambda: [video.clip(times + moment) for moment in moments],
            "decoding, one pass at 1 Hz": lambda: list(video.stream(times + np.arange(3, 3 + len(moments))[:, None])),
            "normalization, four new tensors": lambda: four_passes(batch),
            "normalization, in place": lambda: normalize(batch, mean=MEAN, std=STD),
        }
        assert torch.equal(ways["normalization, four new tensors"](), ways["normalization, in place"]().clips)
        spent = {what: [] for what in ways}
        for _ in range(arguments.rounds):
            for what, way in ways.items():
                start = time.process_time()
                way()
                spent[what].append(1000 * (time.process_time() - start) / arguments.clips)
    print("| CPU ms per clip | median | lowest to highest |\n|---|---|---|")
    for what, rounds in spent.items():
        print(f"| {what} | {statistics.median(rounds):.1f} | {min(rounds):.1f} to {max(rounds):.1f} |")


def batch_of(clips: torch.Tensor) -> ClipBatch:
    empty = torch.zeros(0, dtype=torch.float64)
    return ClipBatch(keyframes=[], clips=clips, rois=torch.zeros(0, 5), boxes=empty.view(0, 4), scores=empty)


def four_passes(batch: ClipBatch) -> torch.Tensor:
    assert batch.clips is not None
    mean, std = (torch.tensor(values).view(3, 1, 1, 1) for values in (MEAN, STD))
    return (batch.clips.float() / 255 - mean) / std


if __name__ == "__main__":
    main()
