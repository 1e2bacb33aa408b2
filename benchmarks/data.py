"""The data pipeline beside the usual ways: `python -m benchmarks.data`.

Tables, result files and videos of AVA's size are generated into a temporary folder. Each pair is timed in turn, in this
process (memory: in processes of their own), and the table gives medians and ratios.
"""

import json
import pickle
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.references import nested_loop_dataset
from benchmarks.references.seeking_reader import read_clip
from benchmarks.videos import write_h264
from lfb_lightning.clips import ClipSampling
from lfb_lightning.video import VideoFile
from lfb_lightning.video.cache import CachedVideo, encode_frame, write_cache

IDS = [
    key
    for key in range(1, 81)
    if key not in {2, 16, 18, 19, 21, 23, 25, 31, 32, 33, 35, 39, 40, 42, 44, 50, 53, 55, 71, 75}
]


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [*dataset_construction(folder), *evaluation(folder), *decoding(folder)]
    print(
        "\n| what | ours | reference | ratio |\n|---|---|---|---|\n"
        + "\n".join(f"| {' | '.join(row)} |" for row in rows)
    )


def timed(function, *arguments, clock=time.perf_counter):
    start = clock()
    function(*arguments)
    return clock() - start


def write_tables(folder, num_videos=235):
    rng = np.random.default_rng(0)
    proposals, num_rows = {}, 0
    videos = [f"video_{number:05d}" for number in range(num_videos)]
    with (folder / "ava_train.csv").open("w") as file:
        for video in videos:
            for second in range(902, 1799):
                count = int(rng.integers(1, 4))
                boxes = rng.random((count, 4)) * 0.5
                boxes[:, 2:] += boxes[:, :2]
                for person, (x1, y1, x2, y2) in enumerate(boxes.tolist()):
                    for action in rng.choice(80, 2, replace=False).tolist():
                        file.write(f"{video},{second:04d},{x1:.3f},{y1:.3f},{x2:.3f},{y2:.3f},{action + 1},{person}\n")
                        num_rows += 1
                proposals[f"{video},{second:04d}"] = np.hstack([boxes, rng.uniform(0.85, 1, (count, 1))])
    (folder / "proposals_train.pkl").write_bytes(pickle.dumps(proposals, 4))
    (folder / "excluded_train.csv").write_text(
        "".join(f"{videos[i % min(29, num_videos)]},{902 + i:04d}\n" for i in range(161))
    )
    labels = "".join(f'item {{\n  name: "action {key}"\n  id: {key}\n}}\n' for key in IDS)
    (folder / "labels.pbtxt").write_text(labels)
    return num_rows


BUILT = """
import json, pickle, sys, time
from pathlib import Path
from lfb_lightning.clips import ClipSettings
from lfb_lightning.datasets import AvaDataset
from lfb_lightning.lightning.datamodules.training_clips import TrainingClips

def memory():  # MB: anonymous memory of this program, and its peak of all memory
    anonymous = Path("/proc/self/smaps_rollup").read_text().split("Anonymous:")[1]
    peak = Path("/proc/self/status").read_text().split("VmHWM:")[1]
    return [int(text.split()[0]) / 1024 for text in (anonymous, peak)]

paths = dict(zip(("video_dir", "label_map", "annotations", "excluded", "proposals"), sys.argv[1:]))
before, start = memory(), time.process_time()
clips = TrainingClips(AvaDataset(**paths).split("train"), ClipSettings(), seed=0)
seconds, after = time.process_time() - start, memory()
print(json.dumps([len(clips), seconds, after[0] - before[0], after[1] - before[1], after[1], len(pickle.dumps(clips, -1)) / 1e6]))
"""


def dataset_construction(folder):
    num_rows = write_tables(folder)
    names = ["", "labels.pbtxt", "ava_{split}.csv", "excluded_{split}.csv", "proposals_{split}.pkl"]
    command = [sys.executable, "-c", BUILT, *(str(folder / name) for name in names)]
    paths = [folder / name for name in ("ava_train.csv", "excluded_train.csv", "proposals_train.pkl")]
    built = [json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(3)]
    theirs = [timed(nested_loop_dataset.build, *paths, clock=time.process_time)]
    what = f"dataset construction, 235 videos, {num_rows:,} rows"
    yield row(f"{what}, CPU", statistics.median(entry[1] for entry in built), theirs[0], "s")
    _, _, kept, peak, total, pickled = built[0]
    print(
        f"{what}: {kept:.0f} MB kept, {peak:.0f} MB at the peak, {total:.0f} MB with the libraries, {pickled:.0f} MB pickled"
    )


def write_results(folder, num_videos=64):
    rng = np.random.default_rng(1)
    num_rows = 0
    with (folder / "truth.csv").open("w") as truth, (folder / "found.csv").open("w") as found:
        for video in range(num_videos):
            for second in range(902, 1799):
                for person in range(int(rng.integers(1, 3))):
                    x, y = (rng.random(2) * 0.6).tolist()
                    for action in rng.choice(IDS, 2, replace=False).tolist():
                        truth.write(
                            f"v{video:03d},{second:04d},{x:.3f},{y:.3f},{x + 0.3:.3f},{y + 0.3:.3f},{action},{person}\n"
                        )
                    x1, y1 = (np.array([x, y]) + rng.normal(0, 0.03, 2)).tolist()
                    scores = rng.random(60) ** 6
                    for place in np.sort(np.argsort(-scores)[:24]).tolist():
                        found.write(
                            f"v{video:03d},{second:04d},{x1!r},{y1!r},{x1 + 0.3!r},{y1 + 0.3!r},{IDS[place]},{scores[place]:.9g}\n"
                        )
                        num_rows += 1
    return num_rows


OURS = """
import sys, time, json
peak = lambda: int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])  # of this program, not of its parent
start = time.perf_counter()
from lfb_lightning.ava.evaluation_csv import read_evaluation_csv
from lfb_lightning.metrics.csv_evaluation import evaluate_csv
truth, found, ids = sys.argv[1:4]
ids = [int(text) for text in ids.split(",")]
value = evaluate_csv(detections=read_evaluation_csv(found), annotations=read_evaluation_csv(truth), action_ids=ids).mean
print(json.dumps([value, time.perf_counter() - start, peak()]))
"""
THEIRS = """
import sys, time, json
peak = lambda: int(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])  # of this program, not of its parent
start = time.perf_counter()
from benchmarks.references.official_evaluator import mean_ap
truth, found, ids = sys.argv[1:4]
value = mean_ap(truth, found, [int(text) for text in ids.split(",")])
print(json.dumps([value, time.perf_counter() - start, peak()]))
"""


def evaluation(folder):
    num_rows = write_results(folder)
    arguments = [str(folder / "truth.csv"), str(folder / "found.csv"), ",".join(map(str, IDS))]

    def run(code):
        done = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True)
        return json.loads(done.stdout)

    ours = [run(OURS) for _ in range(3)]
    theirs = run(THEIRS)
    assert abs(ours[0][0] - theirs[0]) < 1e-12, (ours[0][0], theirs[0])
    what = f"mAP of 64 videos, 60 classes, {num_rows:,} rows"
    yield row(f"{what}: time, with imports", statistics.median(entry[1] for entry in ours), theirs[1], "s")
    yield row(f"{what}: peak memory", ours[0][2] / 1024, theirs[2] / 1024, "MB")


def decoding(folder):
    sampling = ClipSampling(4, 16, 30.0)
    times = np.stack([sampling.times(second - 900.0) for second in range(902, 958)])
    order = np.random.default_rng(0).permutation(len(times))[:24]
    for width, height in ((340, 256), (640, 360)):
        path = write_h264(folder / f"{width}.mp4", width=width, height=height, seconds=60)
        video = VideoFile(path)
        moments = np.unique(np.round(times.ravel(), 6))
        size = write_cache(folder / f"{width}.frames", video, moments, short_side=320, quality=90, made_from={})
        cached = CachedVideo(folder / f"{width}.frames")
        seek, ours, cache = [], [], []
        for place in order.tolist():
            seek.append(timed(read_clip, path, times[place], clock=time.process_time))
            ours.append(timed(video.clip, times[place], clock=time.process_time))
            cache.append(timed(cached.clip, times[place], clock=time.process_time))
            assert np.array_equal(read_clip(path, times[place]), video.clip(times[place]))
        stream = timed(list, video.stream(times), clock=time.process_time) / len(times)
        reference = statistics.median(seek) * 1e3
        what = f"{width} x {height} H.264, 4x16 clip, CPU"
        yield row(f"{what}: random access", statistics.median(ours) * 1e3, reference, "ms")
        yield row(f"{what}: one pass at 1 Hz", stream * 1e3, reference, "ms")
        yield row(f"{what}: from the cache", statistics.median(cache) * 1e3, reference, "ms")
        every = sum(len(encode_frame(frame, 320, 90)) for frame in video.clip(np.arange(2, 4, 1 / 30))) * 30
        yield row(f"{width} x {height}, a minute: cache / JPEGs of all frames", size / 1e6, every / 1e6, "MB")


def row(what, ours, reference, unit):
    print(f"{what}: {ours:.4g} {unit} against {reference:.4g} {unit}: {reference / ours:.1f}x", flush=True)
    return what, f"{ours:.4g} {unit}", f"{reference:.4g} {unit}", f"{reference / ours:.1f}x"


if __name__ == "__main__":
    main()
    print(f"\npeak memory of the benchmark itself: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
