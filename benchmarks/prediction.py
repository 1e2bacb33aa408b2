"""What `lfb-predict` costs beside decoding and the network, and what memory it needs.

    python -m benchmarks.prediction [--seconds 60] [--rounds 3] [--video FILE]
    python -m benchmarks.prediction --memory [--hours 3] [--rate 1]

Time: SlowOnly R50 with FBO-NL and AVA's 81 columns, random weights, 2 and 3 given boxes per second, two threads. Decoding
alone is `VideoFile.stream` over the times of the same clips; forwards alone are the calls of the network that a prediction
makes, repeated with the same tensors (without the attention that a prediction also asks for). Rounds of all parts in turn, so
that other work on the machine weighs on all of them; the ratio of each round and their median are printed.

Memory: the resident memory of the process while a long video of 160x120 at 5 pictures per second is predicted with the tiny
backbone, 2 persons per second, and the peak while its files are written.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
import yaml

from benchmarks.videos import write_h264
from lfb_lightning.models import build_detector
from lfb_lightning.prediction import LFBPredictor, Prediction
from lfb_lightning.prediction.outputs import Outputs
from lfb_lightning.structures import Proposals
from lfb_lightning.video import VideoFile

R50 = {"_target_": "lfb_lightning.models.ResNet3d", "depth": 50}  # conf/backbone/slowonly_r50.yaml
TINY = {  # conf/backbone/tiny.yaml
    "_target_": "lfb_lightning.models.ResNet3d",
    "stage_blocks": [1, 1],
    "base_channels": 8,
    "spatial_strides": [1, 2],
    "temporal_kernels": [1, 3],
    "channels_last": True,
}
DATA = {"fps": 30.0, "num_frames": 4, "frame_stride": 16, "eval_short_side": 256}
SHOWN, LISTED = 3, 12  # columns that pass the threshold, and that the tables list, as with a trained detector
MB = 1e6


def write_checkpoint(path: Path, backbone: dict[str, Any], *, latent: int, short_side: int) -> Path:
    """Write a detector with random weights as `lfb-train` would."""
    model = {
        "_target_": "lfb_lightning.models.assemble_detector",
        "backbone": backbone,
        "roi_features": {"_target_": "lfb_lightning.models.RoIFeatures", "output_size": 8},
        "fbo": {
            "_target_": "lfb_lightning.models.FBONonLocal",
            "_partial_": True,
            "latent_channels": latent,
            "num_layers": 2,
        },
        "num_classes": 81,
    }
    torch.manual_seed(0)
    detector = build_detector(model)
    with torch.no_grad():
        detector.head.weight.mul_(0.1)
        detector.head.bias.fill_(-7.0)
        detector.head.bias[1 : 1 + LISTED] = -2.0
        detector.head.bias[1 : 1 + SHOWN] = 2.0
    config = {"model": model, "data": DATA | {"eval_short_side": short_side}, "bank": {"precision": "fp16"}}
    weights = {f"detector.{name}": value for name, value in detector.state_dict().items()}
    torch.save({"state_dict": weights, "hyper_parameters": {"config": yaml.safe_dump(config)}}, path)
    return path


def boxes_at(second: float, count: int) -> np.ndarray:
    """Give persons side by side, who move a little."""
    left = 0.05 + 0.3 * np.arange(count) + 0.05 * np.sin(second / 7)
    return np.stack([left, np.full(count, 0.2), left + 0.2, np.full(count, 0.9)], axis=1)


class Calls:
    """Keeps the arguments of the network's calls while a prediction is made, and repeats the calls."""

    def __init__(self, predictor: LFBPredictor) -> None:
        self._detector = predictor.trained.detector
        self._kept: list[tuple[str, tuple[torch.Tensor, ...]]] = []

    def watch(self, work: Callable[[], Any]) -> None:
        self._kept.clear()
        for name in ("short_term_features", "classify"):
            setattr(self._detector, name, self._keeping(name, getattr(self._detector, name)))
        work()
        for name in ("short_term_features", "classify"):
            delattr(self._detector, name)

    def _keeping(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **settings: Any) -> Any:
            self._kept.append((name, arguments))
            return method(*arguments, **settings)

        return call

    @torch.inference_mode()
    def repeat(self) -> None:
        for name, arguments in self._kept:
            getattr(self._detector, name)(*arguments)


def seconds_of(work: Callable[[], Any]) -> tuple[float, float]:
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def measure_time(folder: Path, *, seconds: int, rounds: int, video: Path | None) -> None:
    torch.set_num_threads(2)
    video = video or write_h264(folder / "source.mp4", width=640, height=360, seconds=seconds)
    predictor = LFBPredictor.from_checkpoint(
        write_checkpoint(folder / "r50.ckpt", R50, latent=512, short_side=256), device="cpu"
    )
    number = int(np.ceil(VideoFile(video).properties().seconds))
    boxes = {second: boxes_at(second, 2 + second % 2) for second in range(number)}
    times = np.stack([predictor.trained.recipe.clips.sampling.times(second) for second in range(number)])
    last: list[Prediction] = []

    def decode() -> None:
        for _ in VideoFile(video).stream(times):
            pass

    def predict() -> None:
        last[:] = [predictor(video, boxes)]

    predictor(video, {0: boxes[0]})  # warms up
    calls = Calls(predictor)
    parts = {
        "prediction": lambda: calls.watch(predict),
        "decoding alone": decode,
        "forwards alone": calls.repeat,
        "overlay": lambda: last[0].save_overlay(folder / "overlay.mp4"),
        "overlay, page, page's video, tables": lambda: Outputs().write(last[0], folder),
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in parts}
    for _ in range(rounds):
        for name, work in parts.items():
            taken[name].append(seconds_of(work))
        print(
            "wall, CPU:",
            *(f"{name} {pairs[-1][0]:.2f}, {pairs[-1][1]:.2f};" for name, pairs in taken.items()),
            flush=True,
        )
    print(
        f"| {number} s of {video.name}, {sum(map(len, boxes.values()))} persons | wall s, median | CPU s, median |\n|---|---|---|"
    )
    for name, pairs in taken.items():
        wall, cpu = (statistics.median(values) for values in zip(*pairs, strict=True))
        print(f"| {name} | {wall:.2f} | {cpu:.2f} |")
    for kind, what in enumerate(("wall", "CPU")):
        whole, decoded, forward, _, files = ([pair[kind] for pair in pairs] for pairs in taken.values())
        ratios = [c / (a + b) for a, b, c in zip(decoded, forward, whole, strict=True)]
        more = [100 * d / c for c, d in zip(whole, files, strict=True)]
        print(
            f"{what}: prediction / (decoding + forwards) {statistics.median(ratios):.3f}",
            [f"{one:.3f}" for one in ratios],
        )
        print(f"{what}: files on top {statistics.median(more):.1f} %", [f"{one:.1f}" for one in more])


def write_long(folder: Path, *, hours: float) -> Path:
    """Repeat a minute's packets with later times."""
    minute = write_h264(folder / "minute.mp4", width=160, height=120, seconds=60, fps=5, gop=50)
    path = folder / "long.mkv"
    with av.open(str(path), "w") as target:
        stream = None
        for repeat in range(round(60 * hours)):
            with av.open(str(minute)) as source:
                stream = stream or target.add_stream_from_template(source.streams.video[0])
                later = repeat * round(60 / source.streams.video[0].time_base)
                for packet in source.demux(video=0):
                    if packet.dts is not None:
                        packet.pts, packet.dts = packet.pts + later, packet.dts + later
                        packet.stream = stream
                        target.mux(packet)
    return path


def resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / MB


def peak_of(work: Callable[[], Any]) -> tuple[float, float]:
    """Measure peak resident memory and seconds of a piece of work."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from now on
    began = time.perf_counter()
    work()
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) * 1024 / MB, time.perf_counter() - began


class Walkers:
    """Two persons at every moment; asked for a moment, it also notes the memory at minute 1 and every ten minutes."""

    def __init__(self) -> None:
        self.noted: list[tuple[float, float]] = []
        self._next = 60.0

    def find(self, frames: Any, seconds: Any, video_id: str) -> list[Proposals]:
        if seconds[-1] >= self._next:
            self.noted.append((seconds[-1], resident()))
            self._next += 540 if len(self.noted) == 1 else 600
        return [Proposals(boxes_at(second, 2), np.ones(2)) for second in seconds]

    def describe(self) -> dict[str, Any]:
        return {"persons": "walkers"}


def sizes(prediction: Prediction) -> Iterator[tuple[str, float]]:
    """List what the parts of a prediction occupy, in MB."""
    for field in fields(prediction):
        value = getattr(prediction, field.name)
        if isinstance(value, np.ndarray):
            yield field.name, value.nbytes / MB
    for name in ("attention", "glimpses"):
        value = getattr(prediction, name)
        yield name, sum(getattr(value, field.name).nbytes for field in fields(value)) / MB
    yield "thumbnails", sum(len(jpeg) for _, jpeg in prediction.thumbnails) / MB


def measure_memory(folder: Path, *, hours: float, rate: float) -> None:
    torch.set_num_threads(1)
    video = write_long(folder, hours=hours)
    walkers, made = Walkers(), []
    checkpoint = write_checkpoint(folder / "tiny.ckpt", TINY, latent=64, short_side=64)
    predictor = LFBPredictor.from_checkpoint(checkpoint, device="cpu", persons=walkers, detection_rate=rate)
    before = resident()
    peak, seconds = peak_of(lambda: made.append(predictor(video)))
    prediction = made[0]
    print(
        f"{hours:g} h, {len(prediction.moment):,} rows, detection rate {rate:g}, predicted in {seconds:.0f} s; {before:.0f} MB before it\n",
        flush=True,
    )
    print("| minute of the video | resident, MB |\n|---|---|")
    for second, memory in walkers.noted:
        print(f"| {second / 60:.0f} | {memory:.1f} |")
    print(f"| end; peak | {resident():.1f}; {peak:.1f} |\n")
    parts = dict(sizes(prediction))
    growing = sum(parts.values()) - parts["thumbnails"]
    print(
        f"rows of the results: {growing:.1f} MB, per hour {growing / hours:.1f} MB; thumbnails, of which there are at most 1200:"
    )
    print(", ".join(f"{name} {size:.1f}" for name, size in parts.items() if size >= 0.05))
    works = {
        "csv": lambda: prediction.to_csv(folder / "d.csv", least_score=0.01),
        "json": lambda: prediction.to_json(folder / "d.json", least_score=0.01),
        "overlay": lambda: prediction.save_overlay(folder / "overlay.mp4"),
        "page and its video": lambda: prediction.save_page(folder),
    }
    print("\n| written | peak, MB | s | file, MB |\n|---|---|---|---|")
    for (name, work), file in zip(works.items(), ("d.csv", "d.json", "overlay.mp4", "page.html"), strict=True):
        peak, seconds = peak_of(work)
        print(f"| {name} | {peak:.0f} | {seconds:.0f} | {(folder / file).stat().st_size / MB:.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.prediction", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--video", type=Path)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--hours", type=float, default=3)
    parser.add_argument("--rate", type=float, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if asked.memory:
            measure_memory(Path(name), hours=asked.hours, rate=asked.rate)
        else:
            measure_time(Path(name), seconds=asked.seconds, rounds=asked.rounds, video=asked.video)


if __name__ == "__main__":
    main()
