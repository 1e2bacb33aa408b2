"""CPU time of a training clip by the source of its frames, and what starting a loader's workers costs: `python -m benchmarks.sources`.

A minute of H.264 at each size is generated; its frames are put into a folder of JPEGs, into the frame cache, and into a packed
one. Clips are read in turn, in a random order, by one process: reading alone, and with training's resizing, crop and flip.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks.videos import write_h264
from lfb_lightning.clips import ClipSettings
from lfb_lightning.clips.reading import clip_at
from lfb_lightning.lightning.datamodules.loader_workers import WorkerStart
from lfb_lightning.video import VideoLibrary
from lfb_lightning.video.cache import encode_frame, write_cache
from lfb_lightning.video.packed_cache import packed_index, write_archive

FORMS = {"SlowOnly R50, 4 x 16, 256": (4, 16, (256, 320), 256), "ViT-B, 16 x 4, 224": (16, 4, (256, 256), 224)}
BOXES = np.array([[0.2, 0.2, 0.6, 0.9]])
SECONDS = 60


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=12, help="clips of each form and size")
    parser.add_argument("--workers", type=int, default=4, help="workers of a loader")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        print("| frames | clip | read from | bytes | reading | with resizing, crop, flip |\n|---|---|---|---|---|---|")
        for width, height in ((340, 256), (640, 360)):
            for form, settings in FORMS.items():
                folder = Path(name) / f"{width}_{settings[0]}"
                folder.mkdir()
                by_source(folder, (width, height), form, settings, asked.clips)
    starting(asked.workers)


def by_source(folder, size, form, settings, count):
    num_frames, stride, short_side, crop = settings
    clips = ClipSettings(
        num_frames=num_frames, frame_stride=stride, train_short_side=short_side, train_crop=crop, train_color_jitter=0.0
    )
    libraries, sizes = make_sources(folder, size, clips)
    moments = np.random.default_rng(0).permutation(np.arange(3, SECONDS - 3))[:count].tolist()
    taken = {source: ([], []) for source in libraries}
    for moment in moments:
        for source, library in libraries.items():
            times = clips.sampling.times(float(moment))
            start = time.process_time()
            library.open("a").clip(times)
            between = time.process_time()
            generator = torch.Generator().manual_seed(moment)
            clip_at(
                library.open("a"),
                float(moment),
                BOXES,
                sampling=clips.sampling,
                transform=clips.train_transform,
                generator=generator,
            )
            taken[source][0].append(between - start)
            taken[source][1].append(time.process_time() - between)
    same = [libraries[name].open("a").clip(clips.sampling.times(30.0)) for name in ("cache", "packed cache")]
    assert np.array_equal(*same), "a packed cache gives other frames"
    for source, (reading, whole) in taken.items():
        figures = [f"{1000 * statistics.median(seconds):.1f} ms" for seconds in (reading, whole)]
        row = [f"{size[0]} x {size[1]}", form, source, f"{sizes[source] / 1e6:.1f} MB", *figures]
        print(f"| {' | '.join(row)} |", flush=True)


def make_sources(folder, size, clips):
    """One minute as a file, as a folder of JPEGs, as a cache and as a packed cache."""
    videos, frames, cache, packed = (folder / name for name in ("videos", "frames", "cache", "packed"))
    for made in (videos, frames / "a", cache, packed):
        made.mkdir(parents=True)
    path = write_h264(videos / "a.mp4", width=size[0], height=size[1], seconds=SECONDS)
    video = VideoLibrary(videos).open("a")
    for number, (frame,) in enumerate(video.stream(np.arange(SECONDS * 30)[:, None] / 30), start=1):
        (frames / "a" / f"img_{number:05d}.jpg").write_bytes(encode_frame(frame, min(size), 90))
    times = np.concatenate([clips.sampling.times(float(second)) for second in range(2, SECONDS - 2)])
    written = write_cache(
        cache / "a.frames", video, np.unique(np.round(times, 6)), short_side=320, quality=90, made_from={}
    )
    write_archive(packed, {"a": cache / "a.frames"}, packed_index(packed))
    libraries = {
        "video": VideoLibrary(videos),
        "frames": VideoLibrary(frames, source="frames"),
        "cache": VideoLibrary(videos, source="cache", cache_dir=cache),
        "packed cache": VideoLibrary(videos, source="cache", cache_dir=packed),
    }
    jpegs = sum(one.stat().st_size for one in (frames / "a").iterdir())
    whole = sum(one.stat().st_size for one in packed.iterdir())
    return libraries, dict(zip(libraries, (path.stat().st_size, jpegs, written, whole), strict=True))


class Nothing(Dataset):
    """Samples that cost nothing, beside tables of a data set's size."""

    def __init__(self, megabytes):
        self.tables = np.ones(megabytes * 131_072)

    def __len__(self):
        return 64

    def __getitem__(self, index):
        return torch.zeros(1)


def starting(workers):
    print(f"\n| starting {workers} workers | first batch, wall clock | CPU of this process |\n|---|---|---|")
    for megabytes in (0, 1000):
        dataset = Nothing(megabytes)
        for persistent in (False, True):
            loader = DataLoader(
                dataset, num_workers=workers, worker_init_fn=WorkerStart(workers), persistent_workers=persistent
            )
            rounds = [first_batch(loader) for _ in range(5)]
            later = rounds[1:] if persistent else rounds
            wall, cpu = (1000 * statistics.median(one[place] for one in later) for place in (0, 1))
            what = f"{'kept' if persistent else 'new'} at each epoch, {megabytes} MB of tables"
            print(f"| {what} | {wall:.0f} ms | {cpu:.0f} ms |", flush=True)


def first_batch(loader):
    start, cpu = time.perf_counter(), time.process_time()
    batches = iter(loader)
    next(batches)
    taken = time.perf_counter() - start, time.process_time() - cpu
    for _ in batches:
        pass
    return taken


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
