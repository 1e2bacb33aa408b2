"""What the page and the overlay video cost: `python -m benchmarks.page` (docs/page.md has its table).

The videos are made from 60 s of 640x360 with moving patterns and 4 persons per second; the page is one of 10 minutes with
3,600 rows, the 20 strongest of each row's attention in 2 layers, and 600 thumbnails. Opening is measured in Chromium, if it
is installed, from the start of the navigation to the first picture with boxes; the page's video is not part of it.
"""

import io
import random
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from lfb_lightning.video.container import open_video
from lfb_lightning.video.first_frame import first_frame
from lfb_lightning.video.timed_frames import timed_frames
from lfb_lightning.viz.overlay_video import TrackedPerson, write_overlay_video, write_page_video
from lfb_lightning.viz.page import Page, PageAttention, PageRow, write_page
from lfb_lightning.viz.video_drawing import PersonPainter, Planes

SECONDS, FPS, WIDTH, HEIGHT, PERSONS = 60, 30, 640, 360, 4
PAGE_SECONDS, PAGE_PERSONS, TOP, LAYERS = 600, 6, 20, 2
ACTIONS = [f"action number {number}" for number in range(60)]


def scene(number: int, noise: np.ndarray) -> np.ndarray:
    """Draw a picture with slopes, some noise and a moving square: neither trivial nor hopeless to encode."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    picture = np.stack([(x // 3 + number) % 256, (y // 2 + x // 5) % 256, np.full_like(x, 90)], axis=2) // 2 + 40
    left = (4 * number) % (WIDTH - 80)
    picture[120:260, left : left + 60] = (200, 60, 40)
    return np.clip(picture + noise, 0, 255).astype(np.uint8)


def write_source(path: Path, codec: str) -> None:
    noise = np.random.default_rng(0).integers(-6, 7, (HEIGHT, WIDTH, 3))
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FPS)
        stream.width, stream.height = WIDTH, HEIGHT
        for number in range(SECONDS * FPS):
            frame = av.VideoFrame.from_ndarray(scene(number, noise))
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def persons():
    for second in range(SECONDS):
        yield (
            float(second),
            [
                TrackedPerson(
                    track=track,
                    box=(0.1 + 0.2 * track, 0.3, 0.2 + 0.2 * track + 0.001 * second, 0.9),
                    actions=[("stand", 0.9 - 0.002 * second), ("carry/hold (an object)", 0.6 + 0.003 * second)],
                )
                for track in range(PERSONS)
            ],
        )


def seconds_of(work) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def decode(path: Path) -> None:
    with open_video(path) as video:
        for _ in timed_frames(video, first_frame(path), None, after_seek=False):
            pass


def drawing_ms() -> float:
    painter = PersonPainter(width=WIDTH, height=HEIGHT, bt709=False)
    planes = Planes(*(np.full(size, 128, np.uint8) for size in ((HEIGHT, WIDTH), *[(HEIGHT // 2, WIDTH // 2)] * 2)))
    entries = [shown for _, shown in persons()]
    _, cpu = seconds_of(
        lambda: [painter.draw(planes, entry, moment) for moment, entry in enumerate(entries) for _ in range(FPS)]
    )
    return 1000 * cpu / (SECONDS * FPS)


def measure_videos(folder: Path) -> None:
    frames = SECONDS * FPS
    print(f"{SECONDS} s of {WIDTH}x{HEIGHT}, {PERSONS} persons | wall s | CPU ms per frame\n---|---|---")
    print(f"drawing alone | | {drawing_ms():.2f}")
    for codec, name in (("libx264", "h264.mp4"), ("mpeg4", "mpeg4.avi")):
        source = folder / name
        write_source(source, codec)
        works = {
            "decoding alone": lambda source=source: decode(source),
            "overlay": lambda source=source: write_overlay_video(source, folder / "o.mp4", persons()),
            "page video": lambda source=source: write_page_video(source, folder / "p.mp4"),
            "overlay and page video": lambda source=source: write_overlay_video(
                source, folder / "o.mp4", persons(), page_video=folder / "p.mp4"
            ),
        }
        for what, work in works.items():
            wall, cpu = seconds_of(work)
            print(f"{codec}: {what} | {wall:.2f} | {1000 * cpu / frames:.2f}")


def thumbnail(number: int) -> bytes:
    noise = np.random.default_rng(number).integers(-6, 7, (HEIGHT, WIDTH, 3))
    buffer = io.BytesIO()
    Image.fromarray(scene(number, noise)).resize((160, 90)).save(buffer, "JPEG", quality=70)
    return buffer.getvalue()


def long_page() -> Page:
    choose = random.Random(0)
    rows = []
    for moment in range(PAGE_SECONDS):
        for person in range(PAGE_PERSONS):
            scores = sorted(
                ((index, choose.random() ** 3) for index in choose.sample(range(60), 10)), key=lambda pair: -pair[1]
            )
            around = range(max(0, moment - 30) * PAGE_PERSONS, min(PAGE_SECONDS, moment + 30) * PAGE_PERSONS)
            attention = [
                PageAttention(empty=0.2, rest=0.3, rows=[(index, 0.5 / TOP) for index in choose.sample(around, TOP)])
                for _ in range(LAYERS)
            ]
            left = 0.15 * person + 0.0001 * moment
            rows.append(
                PageRow(
                    moment=moment,
                    track=person + 10 * (moment // 40),
                    box=(left, 0.3, left + 0.1, 0.8),
                    score=0.9,
                    actions=scores,
                    without=scores,
                    attention=attention,
                )
            )
    return Page(
        title="ten minutes",
        video="none.mp4",
        seconds=float(PAGE_SECONDS),
        width=WIDTH,
        height=HEIGHT,
        moments=[float(second) for second in range(PAGE_SECONDS)],
        actions=ACTIONS,
        rows=rows,
        thumbnails=[(float(second), thumbnail(second)) for second in range(PAGE_SECONDS)],
        window=(30.0, 30.0),
        threshold=0.3,
        compare="baseline",
    )


def measure_page(folder: Path) -> None:
    page, path = long_page(), folder / "page.html"
    wall, _ = seconds_of(lambda: write_page(path, page))
    print(
        f"\npage of {PAGE_SECONDS} s, {len(page.rows):,} rows: {path.stat().st_size / 1e6:.2f} MB (must be < 5), written in {wall:.2f} s"
    )
    try:
        from tests.browser import driver
    except ImportError:
        print("websocket-client is not installed: opening is not measured")
        return
    if (missing := driver.missing("chromium")) is not None:
        print(f"{missing} is not installed: opening is not measured")
        return
    with driver.start("chromium") as browser:
        browser.size(1600, 1000)
        taken = []
        for _ in range(5):
            begin = time.perf_counter()
            browser.open(path)
            browser.until("document.getElementById('stage').dataset.boxes")
            browser.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(1))))")
            taken.append(time.perf_counter() - begin)
        step = browser.run(
            "new Promise((done) => { const t = performance.now(); document.getElementById('threshold').value = 0.4;"
            "document.getElementById('threshold').dispatchEvent(new Event('input'));"
            "requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - t))); })"
        )
    print(
        f"opens in {sorted(taken)[2]:.2f} s (median of 5: {min(taken):.2f} to {max(taken):.2f}; must be < 2); a new threshold is drawn in {step:.0f} ms"
    )


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        measure_videos(Path(name))
        measure_page(Path(name))
