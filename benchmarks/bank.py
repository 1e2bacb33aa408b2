"""`python -m benchmarks.bank [--out DIR] [--only PART]`: the bank beside the ways of reference implementations and beside memory.

A bank of AVA's size (299 videos, 617,000 features of 2048 fp16 channels, 2.5 GB) and the same one in the reference implementation's form are
generated in DIR (10 GB are needed for both, and 6 GB of memory), then each pair is timed in turn, one thread, medians.
The bank of ten times the videos is made of hard links to the same files.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import torch
from safetensors.torch import save

from benchmarks.references import feature_loop
from benchmarks.references.seeking_reader import read_clip
from benchmarks.videos import write_h264
from lfb_lightning.bank import BankWriter, FeatureBank, Provenance, WindowSpec, finish_bank
from lfb_lightning.bank.layout import file_name
from lfb_lightning.bank.pickled_bank import export_bank
from lfb_lightning.bank.video_table import VideoEntry, read_videos, write_videos
from lfb_lightning.bank.window import window_generator
from lfb_lightning.clips import ClipSampling
from lfb_lightning.structures import BankWindow, Keyframe
from lfb_lightning.video import VideoFile

VIDEOS, CHANNELS, CLIPS, PERSONS = 299, 2048, 12, 3
MADE = Provenance(
    checkpoint_digest="none",
    backbone_digest="none",
    backbone="synthetic",
    channels=CHANNELS,
    precision="fp16",
    compute_precision="32",
    clip={},
    keyframes="proposals",
    score_threshold=0.9,
    split="train",
    package_version="0",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bank", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "lfb_bank_benchmark")
    parser.add_argument("--only", help="one part: window, cold, opening, growth, decode or durability")
    arguments = parser.parse_args()
    out = arguments.out
    torch.set_num_threads(1)
    bank = make_bank(out / "bank" / "train")
    reference = out / "lfb_train.pkl"
    if not reference.is_file():
        export_bank(bank, reference)
    large = make_large(bank, out / "large" / "train")
    print("| what | ours | reference | ratio | wanted |\n|---|---|---|---|---|")
    for part in (window_rows, cold_rows, opening_rows, growth_rows, decode_rows, durability_rows):
        if arguments.only not in (None, part.__name__.removesuffix("_rows")):
            continue
        for row in part(out, bank, large, reference):
            print(f"| {' | '.join(row)} |", flush=True)


def timed(function, *arguments, clock=time.perf_counter) -> float:
    start = clock()
    function(*arguments)
    return clock() - start


def make_bank(folder: Path) -> FeatureBank:
    rng = np.random.default_rng(0)
    base = torch.from_numpy(rng.standard_normal((8192, CHANNELS), dtype=np.float32)).half()
    writer = BankWriter(folder, MADE)
    names = [f"video_{number:05d}" for number in range(VIDEOS)]
    for name in names:
        counts = np.minimum(rng.poisson(1.3, 897) + 1, 12)  # 2.3 persons a second
        timestamps = torch.from_numpy(np.repeat(np.arange(902, 1799), counts))
        scores = torch.from_numpy(rng.uniform(0.9, 1, len(timestamps)))
        first = int(rng.integers(0, len(base) - len(timestamps)))
        if not writer.is_finished(name):
            boxes = torch.rand(len(timestamps), 4, dtype=torch.float64)
            features = base[first : first + len(timestamps)]
            writer.write(name, timestamps=timestamps, boxes=boxes, scores=scores, features=features)
    finish_bank(folder, MADE, names)
    return FeatureBank.open(folder)


def make_large(bank: FeatureBank, folder: Path) -> FeatureBank:
    folder.mkdir(parents=True, exist_ok=True)
    videos = {}
    for name, entry in bank.videos.items():
        for copy in range(10):
            link = folder / file_name(f"{name}_{copy}")
            if not link.exists():
                os.link(bank.folder / file_name(name), link)
            videos[f"{name}_{copy}"] = entry
    write_manifest(bank, folder, videos)
    return FeatureBank.open(folder)


def write_manifest(bank: FeatureBank, folder: Path, videos: dict[str, VideoEntry]) -> None:
    checksum = write_videos(folder, videos)
    replace(bank.manifest, num_videos=len(videos), videos_checksum=checksum).write(folder)


def keyframe_batches(bank: FeatureBank, number: int, seed: int) -> list[list[Keyframe]]:
    rng = np.random.default_rng(seed)
    names = sorted(bank.videos)
    return [
        [Keyframe(names[rng.integers(len(names))], int(rng.integers(902, 1799))) for _ in range(CLIPS)]
        for _ in range(number)
    ]


def read(bank: FeatureBank, keyframes: list[Keyframe], selection: str = "random") -> BankWindow:
    generators = [window_generator(0, 0, keyframe) for keyframe in keyframes] if selection == "random" else None
    return bank.windows(keyframes, WindowSpec(selection=selection), generators)


def window_rows(out, bank, large, reference_path):
    reference = torch.load(reference_path, weights_only=True)
    batches = keyframe_batches(bank, 40, seed=1)
    for keyframes in batches:
        read(bank, keyframes)
    window = read(bank, batches[0])
    # Every batch's bytes come from elsewhere, as a bank's do: not from the processor's cache.
    sources = torch.zeros(len(batches), int(window.mask.sum()), CHANNELS, dtype=torch.float16).add_(1)
    target, padded = torch.empty_like(sources[0]), torch.empty_like(window.features)

    def limit(number: int) -> None:
        target.copy_(sources[number])
        padded.zero_()

    ours, top, theirs, least = [], [], [], []
    for number, keyframes in enumerate(batches):
        own, other = (ours, "random"), (top, "top_score")
        for into, selection in (own, other) if number % 2 else (other, own):  # the second finds its pages in the cache
            into.append(timed(read, bank, keyframes, selection))
        least.append(timed(limit, number))
        if number < 11:
            theirs.append(timed(feature_loop.windows, reference, keyframes, PERSONS))
    own = median(ours)
    what = f"windows of {CLIPS} clips x {PERSONS} persons, 60 s x 5, warm"
    yield what, ms(own), ms(median(theirs)), times(median(theirs) / own), "40x"
    yield f"{what}, top_score", ms(median(top)), ms(median(theirs)), times(median(theirs) / median(top)), "40x"
    yield (
        "the same against memcpy and zero fill of the bytes",
        ms(own),
        ms(median(least)),
        times(median(least) / own),
        "0.4x",
    )
    share = median(least) / median(top)
    yield "the same, top_score", ms(median(top)), ms(median(least)), times(share), "0.4x"


def drop_from_cache(bank: FeatureBank) -> None:
    for path in bank.folder.glob("*.safetensors"):
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def cold_rows(out, bank, large, reference_path):
    os.sync()
    cold, mapped, warm = [], [], []
    for keyframes in keyframe_batches(bank, 15, seed=2):
        read(bank, keyframes)
        warm.append(timed(read, bank, keyframes))
        drop_from_cache(bank)
        cold.append(timed(read, bank, keyframes))
        drop_from_cache(bank)
        mapped.append(timed(read_by_mapping, bank, keyframes))
    ratio = median(cold) / median(warm)
    yield (
        "a batch of windows, cold (ours) against warm (ours)",
        ms(median(cold)),
        ms(median(warm)),
        times(ratio),
        "at most 6x",
    )
    fault = median(mapped) / median(cold)
    yield "a batch of windows, cold, against faulting in a map", ms(median(cold)), ms(median(mapped)), times(fault), ""


def read_by_mapping(bank: FeatureBank, keyframes: list[Keyframe]) -> None:
    for keyframe in keyframes:
        video = bank._videos.rows(keyframe.video_id)
        low, high = video.timestamps.searchsorted([keyframe.timestamp - 30, keyframe.timestamp + 30]).tolist()
        offset = video.features_span.begin + low * bank.row_bytes
        shape = (high - low, bank.channels)
        rows = np.memmap(video.path, dtype=np.float16, mode="r", offset=offset, shape=shape)
        np.array(rows)


OPENING = """
import sys, time
import numpy as np, torch
from benchmarks.bank import keyframe_batches, read
from lfb_lightning.bank import FeatureBank
torch.set_num_threads(1)
rss = lambda: int(open("/proc/self/status").read().split("VmRSS:")[1].split()[0]) / 1024
before = rss()
start = time.perf_counter()
bank = FeatureBank.open(sys.argv[1]) if sys.argv[2] == "ours" else torch.load(sys.argv[1], weights_only=sys.argv[2] == "weights")
took = time.perf_counter() - start
if sys.argv[2] == "ours":
    for keyframes in keyframe_batches(bank, 300, seed=3):
        window = read(bank, keyframes)
        del window
print(took, rss() - before)
"""


def opened(path: Path, how: str) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-c", OPENING, str(path), how], check=True, capture_output=True, text=True
    ).stdout.split()
    return float(done[0]), float(done[1])


def opening_rows(out, bank, large, reference_path):
    ours = [opened(bank.folder, "ours") for _ in range(5)]
    theirs = [opened(reference_path, "weights")]
    seconds, memory = median(entry[0] for entry in ours), median(entry[1] for entry in ours)
    rows = f"{bank.manifest.num_rows:,} features"
    yield f"opening, {rows}", ms(seconds), ms(theirs[0][0]), times(theirs[0][0] / seconds), "200x, 50 ms"
    what = "memory a process more, after opening and 300 batches of windows"
    yield what, f"{memory:.0f} MB", f"{theirs[0][1]:.0f} MB", times(theirs[0][1] / memory), "50 MB"


def growth_rows(out, bank, large, reference_path):
    small, big = (median(opened(each.folder, "ours")[0] for _ in range(5)) for each in (bank, large))
    yield "opening, 10x the videos (second column: 1x)", ms(big), ms(small), times(big / small), "flat"
    here, there = keyframe_batches(bank, 60, seed=4), keyframe_batches(large, 60, seed=4)
    for keyframes in [*here, *there]:
        read(bank if keyframes in here else large, keyframes)
    pairs = [(timed(read, large, one), timed(read, bank, two)) for one, two in zip(there, here, strict=True)]
    big, small = (median(column) for column in zip(*pairs, strict=True))
    yield "windows, warm, 10x the videos (second column: 1x)", ms(big), ms(small), times(big / small), "flat"
    pairs = zip(keyframe_batches(large, 60, seed=5), keyframe_batches(bank, 60, seed=5), strict=True)
    pairs = [(timed(read, large, one), timed(read, bank, two)) for one, two in pairs]
    big, small = (median(column) for column in zip(*pairs, strict=True))
    yield "the same, keyframes that have not been read before", ms(big), ms(small), times(big / small), "flat"
    sizes = (10_000, 100_000, 1_000_000)
    entry = next(iter(bank.videos.values()))
    with tempfile.TemporaryDirectory() as name:
        for size in sizes:
            videos = {f"video_{number:08d}": entry for number in range(size)}
            folder = Path(name)
            written = timed(write_manifest, bank, folder, videos)
            took = median(timed(FeatureBank.open, folder) for _ in range(5))
            table = timed(read_videos, folder, FeatureBank.open(folder).manifest.videos_checksum)
            yield f"opening a bank of {size:,} videos", ms(took), "", "", "flat"
            made = f"{(folder / 'videos.json').stat().st_size / 1e6:.1f} MB"
            yield f"its table of videos: read (written in {ms(written)})", ms(table), made, "", ""


def decode_rows(out, bank, large, reference_path):
    sampling = ClipSampling(4, 16, 30.0)
    clip_times = np.stack([sampling.times(second - 900.0) for second in range(902, 960)])
    path = write_h264(out / "video.mp4", width=340, height=256, seconds=62)
    streamed = list(VideoFile(path).stream(clip_times))
    assert all(
        np.array_equal(clip, read_clip(path, moments)) for clip, moments in zip(streamed, clip_times, strict=True)
    )
    ours, theirs = [], []
    for _ in range(5):
        ours.append(timed(list, VideoFile(path).stream(clip_times), clock=time.process_time) / len(clip_times))
        chosen = clip_times[::6]
        theirs += [timed(read_clip, path, moments, clock=time.process_time) for moments in chosen]
    ratio = median(theirs) / median(ours)
    yield (
        "decoding a 4x16 clip at 1 Hz, CPU (every frame equal)",
        ms(median(ours)),
        ms(median(theirs)),
        times(ratio),
        "5x",
    )


EXTRACTION = """
import sys
from lfb_lightning.bank import writer
if sys.argv.pop(1) == "plain":
    writer.write_durably = lambda path, content: path.write_bytes(content)
    writer.checksum = lambda tensors: ""
from lfb_lightning.cli.extract import main
main()
"""


def durability_rows(out, bank, large, reference_path):
    """A video of AVA's size, written both ways; and whole extractions of mini-AVA with its tiny network."""
    video = bank.read_video(sorted(bank.videos)[0])
    arguments = {"timestamps": video.timestamps.long(), "boxes": video.boxes.double(), "scores": video.scores.double()}
    with tempfile.TemporaryDirectory(dir=out) as name:
        writer = BankWriter(name, MADE)
        durable = [timed(lambda: writer.write("v", **arguments, features=video.features)) for _ in range(9)]
        plain = [timed(lambda: (Path(name) / "p").write_bytes(save(video.to_tensors()))) for _ in range(9)]
    what = f"writing a video of {len(video.timestamps)} features (reference implementation's column: without fsync, checksum)"
    yield what, ms(median(durable)), ms(median(plain)), times(median(plain) / median(durable)), ""
    data = out / "mini_ava"
    if not (data / "mini_ava.json").is_file():
        subprocess.run([sys.executable, "-m", "lfb_lightning.mini_ava", str(data)], check=True, capture_output=True)
    common = ["experiment=mini_ava", f"paths.data_dir={data}"]
    checkpoint = out / "baseline" / "checkpoints" / "last.ckpt"
    if not checkpoint.is_file():
        train = [
            *common,
            "fbo=none",
            "trainer.max_epochs=1",
            "trainer.limit_train_batches=2",
            f"hydra.run.dir={out / 'baseline'}",
        ]
        subprocess.run([sys.executable, "-m", "lfb_lightning.cli.train", *train], check=True, capture_output=True)
    seconds: dict[str, list[float]] = {"durable": [], "plain": []}
    for _ in range(5):
        for how in seconds:
            with tempfile.TemporaryDirectory(dir=out) as name:
                extract = [
                    *common,
                    "split=train",
                    f"ckpt_path={checkpoint}",
                    f"bank.dir={name}",
                    f"hydra.run.dir={name}/run",
                ]
                done = subprocess.run(
                    [sys.executable, "-c", EXTRACTION, how, *extract], check=True, capture_output=True, text=True
                )
                seconds[how].append(float(done.stdout.split(" clips in ")[1].split()[0]))
    ours, theirs = median(seconds["durable"]), median(seconds["plain"])
    cost = f"{100 * (ours / theirs - 1):+.1f} %"
    yield "extracting mini-AVA's train split (second column: without)", f"{ours:.2f} s", f"{theirs:.2f} s", cost, "5 %"


def ms(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms" if seconds < 10 else f"{seconds:.1f} s"


def times(ratio: float) -> str:
    return f"{ratio:.3g}x"


if __name__ == "__main__":
    main()
