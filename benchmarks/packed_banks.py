"""`python -m benchmarks.packed_banks [--out DIR] [--only local|remote]`: a packed bank beside one of a file per video, at 1x, 10x and 100x AVA's videos.

30 videos of AVA's length (2048 fp16 channels, 0.25 GB) are written once in each form. More videos are further names of the same
rows: hard links in the folder, entries of the index in the packed bank. Both forms are timed in turn, one thread, medians; warm
windows by CPU time, which other work on the machine does not change.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import torch

from benchmarks import bank as plain
from benchmarks.bank import ms, timed, times
from lfb_lightning.bank import BankWriter, FeatureBank, WindowSpec, finish_bank
from lfb_lightning.bank.layout import MANIFEST, file_name
from lfb_lightning.bank.packed.form import SHARD_TAIL, Entry, PackedIndex, index_name
from lfb_lightning.bank.packed.packing import pack
from lfb_lightning.bank.packed.writing import join_footers, read_footer
from lfb_lightning.bank.video_table import VideoEntry
from lfb_lightning.structures import Keyframe

DISTINCT, SIZES, MILLION, BATCHES = 30, (299, 2_990, 29_900), 1_000_000, 15


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.packed_banks", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "lfb_packed_benchmark")
    parser.add_argument("--only", choices=["all", "local", "remote"], default="all", help="a part of the table")
    arguments = parser.parse_args()
    out = arguments.out
    torch.set_num_threads(1)
    folder, packed = out / "folder" / "train", out / "packed" / "train"
    bank = make_bank(folder)
    pack(bank, packed, shard_mb=1000)
    print("| what | packed | folder | ratio | wanted |\n|---|---|---|---|---|")
    if arguments.only != "remote":
        local(bank, packed, out)
    if arguments.only != "local":
        pack(bank, out / "small" / "train", shard_mb=9)  # moto reads a whole object for each range of it
        for row in remote_rows(out / "small" / "train"):
            print(f"| {' | '.join(row)} |", flush=True)


def local(bank: FeatureBank, packed: Path, out: Path) -> None:
    for size in SIZES:
        many, few = more_links(bank, out / f"folder_{size}", size), more_entries(packed, out / f"packed_{size}", size)
        for row in [*opening_rows(few, many, size), *window_rows(few, many, size)]:
            print(f"| {' | '.join(row)} |", flush=True)
        shutil.rmtree(many)
    few = more_entries(packed, out / f"packed_{MILLION}", MILLION)
    warm, cold = opening(few), opening(few, drop=True)
    print(f"| opening {MILLION:,} videos, warm, CPU | {ms(warm)} | | | 50 ms |")
    print(f"| opening {MILLION:,} videos, cold | {ms(cold)} | | | 2 s |")
    new = median(timed(first_look, few, number, clock=time.process_time) for number in range(BATCHES))
    print(f"| the same, and a batch of videos not read before, warm, CPU | {ms(new)} | | | |", flush=True)


def make_bank(folder: Path) -> FeatureBank:
    rng = np.random.default_rng(0)
    base = torch.from_numpy(rng.standard_normal((4096, plain.CHANNELS), dtype=np.float32)).half()
    writer = BankWriter(folder, plain.MADE)
    names = [f"video_{number:07d}" for number in range(DISTINCT)]
    for name in names:
        counts = np.minimum(rng.poisson(1.3, 897) + 1, 12)  # 2.3 persons a second
        timestamps = torch.from_numpy(np.repeat(np.arange(902, 1799), counts))
        rows, first = len(timestamps), int(rng.integers(0, 1000))
        scores = torch.from_numpy(rng.uniform(0.9, 1, rows))
        boxes = torch.rand(rows, 4, dtype=torch.float64)
        if not writer.is_finished(name):
            writer.write(name, timestamps=timestamps, boxes=boxes, scores=scores, features=base[first : first + rows])
    finish_bank(folder, plain.MADE, names)
    return FeatureBank.open(folder)


def more_links(bank: FeatureBank, folder: Path, size: int) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    entries = list(bank.videos.items())
    videos: dict[str, VideoEntry] = {}
    for number in range(size):
        name, videos[f"video_{number:07d}"] = entries[number % DISTINCT]
        os.link(Path(str(bank.folder)) / file_name(name), folder / file_name(f"video_{number:07d}"))
    plain.write_manifest(bank, folder, videos)
    return folder


def more_entries(packed: Path, folder: Path, size: int) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (shard,) = packed.glob("*.shard")
    os.link(shard, folder / shard.name)
    found = read_footer(shard, 0)
    assert found is not None
    footer = found.entries
    entries = [Entry.unpack(footer[place : place + 80]) for place in range(0, len(footer), 80)]
    ids = [f"video_{number:07d}".encode() for number in range(size)]
    made = (
        entries[number % DISTINCT]._replace(id_begin=number * len(text)).pack(text) for number, text in enumerate(ids)
    )
    with shard.open("rb") as file:
        file.seek(-SHARD_TAIL.size, os.SEEK_END)
        digest = SHARD_TAIL.unpack(file.read())[-1]  # of its footer, by which the index knows the shard
    table = (shard.stat().st_size, bytes.fromhex(shard.stem[6:]), digest)
    content = join_footers([table], [b"".join(made)], [b"".join(ids)])
    index = PackedIndex(hashlib.sha256(content).hexdigest(), len(content))
    (folder / index_name(index.sha256)).write_bytes(content)
    replace(FeatureBank.open(packed).manifest, num_videos=size, packed=index).write(folder)
    return folder


def drop(folder: Path, *, only_small: bool = False) -> None:
    for path in [folder / MANIFEST, *folder.glob("*.idx"), *([] if only_small else data_of(folder))]:
        descriptor = os.open(path, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def data_of(folder: Path) -> list[Path]:
    """The shard, or one of each file that has several names."""
    return [*folder.glob("*.shard"), *(folder / file_name(f"video_{number:07d}") for number in range(DISTINCT))][
        : 1 if any(folder.glob("*.shard")) else None
    ]


def opening(folder: Path, *, drop: bool = False) -> float:
    took = []
    for _ in range(BATCHES):
        if drop:
            globals()["drop"](folder, only_small=True)
        took.append(timed(FeatureBank.open, folder, clock=time.perf_counter if drop else time.process_time))
    return median(took)


def opening_rows(packed: Path, folder: Path, size: int):
    for cold in (False, True):
        ours, theirs = opening(packed, drop=cold), opening(folder, drop=cold)
        what = f"opening {size:,} videos, {'cold' if cold else 'warm, CPU'}"
        yield what, ms(ours), ms(theirs), times(ours / theirs), ""


def batches(size: int, seed: int) -> list[list[Keyframe]]:
    rng = np.random.default_rng(seed)
    return [
        [Keyframe(f"video_{rng.integers(size):07d}", int(rng.integers(902, 1799))) for _ in range(plain.CLIPS)]
        for _ in range(BATCHES)
    ]


def read(bank: FeatureBank, keyframes: list[Keyframe]):
    return bank.windows(keyframes, WindowSpec())


def first_look(folder: Path, seed: int) -> None:
    read(FeatureBank.open(folder), batches(MILLION, seed)[0])


def window_rows(packed: Path, folder: Path, size: int):
    banks = (FeatureBank.open(packed), FeatureBank.open(folder))
    for cold in (False, True):
        known: tuple[list[float], list[float]] = ([], [])
        new: tuple[list[float], list[float]] = ([], [])
        for number, keyframes in enumerate(batches(size, seed=1)):
            for bank in banks:  # both find their pages, where they may
                read(bank, keyframes)
            order = (0, 1) if number % 2 else (1, 0)
            for which in order:
                for fresh, into in ((False, known), (True, new)):
                    bank = FeatureBank.open((packed, folder)[which]) if fresh else banks[which]
                    if cold:
                        drop((packed, folder)[which])
                    into[which].append(
                        timed(read, bank, keyframes, clock=time.perf_counter if cold else time.process_time)
                    )
        state = "cold" if cold else "warm, CPU"
        for what, (ours, theirs) in (
            (f"windows, {state}", known),
            (f"windows of videos not read before, {state}", new),
        ):
            own, other = median(ours), median(theirs)
            yield f"{size:,} videos: batch of {plain.CLIPS} {what}", ms(own), ms(other), times(own / other), "1.0x"


def remote_rows(packed: Path):
    """From moto, a process of its own on loopback: the bank's windows, and the same ranges of bytes by bare requests, in turn."""
    try:
        import moto  # noqa: F401
        import obstore
        from obstore.store import from_url
        from tests import moto_server
    except ImportError as error:
        yield f"object store: not measured ({error})", "", "", "", ""
        return
    with moto_server.serving() as server, tempfile.TemporaryDirectory() as cache:
        server.make_bucket("bucket")
        os.environ |= {**server.environment(), "LFB_CACHE_DIR": cache, "LFB_CACHE_GB": "0"}
        url = "s3://bucket/bank"
        store = from_url(url, client_options={"allow_http": True})
        for path in packed.iterdir():
            obstore.put(store, path.name, path, chunk_size=64 << 20)
        bank, ours, bare, cached = FeatureBank.open(url), [], [], []
        reader = bank.source._store._objects
        asked: list[tuple[str, int, int]] = []
        real = reader.range

        def noting(name, begin, end, **more):
            asked.append((name, begin, end))
            return real(name, begin, end, **more)

        def fetch(wanted):
            return obstore.get_range(store, wanted[0], start=wanted[1], end=wanted[2])

        with ThreadPoolExecutor(32) as threads:
            for number, keyframes in enumerate(batches(DISTINCT, seed=3)):
                reader.range = noting
                read(bank, keyframes)  # keeps the columns of its videos
                asked.clear()
                read(bank, keyframes)
                wanted = list(asked)
                reader.range = real
                if number % 2:
                    ours.append(timed(read, bank, keyframes))
                bare.append(timed(lambda wanted=wanted: list(threads.map(fetch, wanted))))
                if not number % 2:
                    ours.append(timed(read, bank, keyframes))
        os.environ["LFB_CACHE_GB"] = "1"
        bank = FeatureBank.open(url)
        for keyframes in batches(DISTINCT, seed=3):
            read(bank, keyframes)
            cached.append(timed(read, bank, keyframes))
    for what, found, wanted in (
        ("batch of 12 windows from moto (second: a bare range request each)", ours, "3x"),
        ("the same from the local cache", cached, ""),
    ):
        yield what, ms(median(found)), ms(median(bare)), times(median(found) / median(bare)), wanted


if __name__ == "__main__":
    main()
