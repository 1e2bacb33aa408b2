"""What `lfb-report` costs on a test of AVA's size: `python -m benchmarks.report`.

The ground truth has 64 videos with 897 key frames each, 60 classes and about 2.3 persons per key frame; the result file has a
row for every person and every class with a score above 0.002, as AVA's files have. The pictures come from videos of 15
minutes with a key picture every 10 seconds. Writing is timed as a process of its own, its start included; opening is
measured in Chromium, if it is installed, from the start of the navigation to the first picture.
"""

import resource
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pandas as pd

from lfb_lightning.ava.action_groups import ava_action_names
from lfb_lightning.ava.label_map import write_label_map

VIDEOS, FIRST, LAST, CLASSES = 64, 902, 1798, 60
WIDTH, HEIGHT, FPS = 640, 360, 5
COLUMNS = ["video", "second", "x1", "y1", "x2", "y2", "action", "last"]
WANTED = {"write": 10.0, "size": 5.0, "open": 2.0}


def write_files(folder: Path) -> tuple[int, int, int]:
    """Write label map, ground truth and results; returns how many key frames and rows there are."""
    rng = np.random.default_rng(0)
    ids = np.array(sorted(ava_action_names())[:CLASSES])
    write_label_map(folder / "labels.pbtxt", {int(key): ava_action_names()[int(key)] for key in ids})
    seconds = np.tile(np.arange(FIRST, LAST + 1), VIDEOS)
    videos = np.repeat([f"video-{number:03d}" for number in range(VIDEOS)], LAST + 1 - FIRST)
    frame = np.repeat(np.arange(len(seconds)), 1 + rng.binomial(4, 0.33, len(seconds)))
    corners = rng.uniform(0, 0.6, (len(frame), 2))
    boxes = np.round(np.concatenate([corners, corners + rng.uniform(0.15, 0.4, (len(frame), 2))], axis=1), 3)
    frequency = 0.4 * np.exp(-np.arange(CLASSES) / 8) + 0.002  # of each class: a few are common, most are rare
    shown = rng.random((len(frame), CLASSES)) < frequency
    shown[~shown.any(axis=1), 0] = True
    person, action = np.nonzero(shown)
    write_rows(folder / "truth.csv", videos, seconds, frame[person], boxes[person], ids[action], person)
    logits = 1.5 * rng.standard_normal((len(frame), CLASSES)) + np.log(frequency) - 2.7 + 3.5 * shown
    scores = 1 / (1 + np.exp(-logits))
    moved = np.round(boxes + rng.normal(0, 0.02, boxes.shape), 3)
    person, action = np.nonzero(scores > 0.002)
    rows = (frame[person], moved[person], ids[action], np.round(scores[person, action], 6))
    write_rows(folder / "results.csv", videos, seconds, *rows)
    return len(seconds), int(shown.sum()), len(person)


def write_rows(path, videos, seconds, frame, boxes, actions, last):
    rows = pd.DataFrame(dict(zip(COLUMNS, (videos[frame], seconds[frame], *boxes.T, actions, last), strict=True)))
    rows.to_csv(path, header=False, index=False)


def write_video(path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 60, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "g": str(10 * FPS)})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range((LAST - 900 + 2) * FPS):
            picture = np.roll(noise, 3 * number, axis=1) // 4 + np.uint8(60 + number % 100)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def seconds_to_write(folder: Path) -> tuple[float, float]:
    names = {
        "results": "results.csv",
        "truth": "truth.csv",
        "labels": "labels.pbtxt",
        "videos": "videos",
        "out": "report.html",
    }
    command = [
        sys.executable,
        "-m",
        "lfb_lightning.cli.report",
        *(f"{key}={folder / name}" for key, name in names.items()),
    ]
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - begin, cpu


def seconds_to_open(path: Path) -> list[float] | None:
    try:
        from tests.browser import driver
    except ImportError:
        return None
    if driver.missing("chromium") is not None:
        return None
    taken = []
    with driver.start("chromium") as browser:
        browser.size(1600, 1000)
        for _ in range(5):
            begin = time.perf_counter()
            browser.open(path)
            browser.until("document.documentElement.dataset.drawn")
            browser.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")
            taken.append(time.perf_counter() - begin)
    return sorted(taken)


def line(what: str, unit: str, reached: float, wanted: float) -> None:
    print(f"{what} | < {wanted:g} {unit} | {reached:.2f} {unit}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        frames, labels, rows = write_files(work)
        (work / "videos").mkdir()
        write_video(work / "first.mp4")
        for number in range(VIDEOS):
            (work / "videos" / f"video-{number:03d}.mp4").symlink_to(work / "first.mp4")
        print(f"{frames:,} key frames, {labels:,} labels, {rows:,} rows of results, 20 pictures\n")
        print("figure | wanted | reached\n---|---|---")
        wall, cpu = sorted(seconds_to_write(work) for _ in range(3))[1]
        line(f"written in (median of 3; {cpu:.1f} s of CPU time)", "s", wall, WANTED["write"])
        line("size", "MB", (work / "report.html").stat().st_size / 1e6, WANTED["size"])
        opened = seconds_to_open(work / "report.html")
        if opened is None:
            print("opens in | < 2 s | not measured: Chromium or websocket-client is not installed")
        else:
            line(f"opens in (median of 5: {opened[0]:.2f} to {opened[-1]:.2f})", "s", opened[2], WANTED["open"])
