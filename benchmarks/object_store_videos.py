"""`python -m benchmarks.object_store_videos`: clips of a video in an object store beside those of the same file on the disk.

The store is moto, a process of its own on loopback; it reads a whole object for each range of it, so that its seconds say more
of moto than of a store: bytes and requests are what carries over. Both sides are read in turn.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from fractions import Fraction
from pathlib import Path
from statistics import median

import av
import numpy as np

from benchmarks.bank import ms, timed, times

FPS, SECONDS, REPEATED, CLIPS = 25, 30, 6, 10
WIDTH, HEIGHT = 640, 360


def main() -> None:
    argparse.ArgumentParser(prog="python -m benchmarks.object_store_videos", description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.mp4"
        write(path)
        for row in rows(path, Path(folder) / "cache"):
            print(f"| {' | '.join(row)} |", flush=True)


def write(path: Path) -> None:
    """Pictures that drift over noise, about 2 Mbit/s, a key picture every ten seconds; the packets several times over."""
    rng = np.random.default_rng(0)
    noise = np.kron(rng.integers(0, 255, (90, 320, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    packets = []
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast", "g": "250", "b": "2000k"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(FPS * SECONDS):
            picture = np.ascontiguousarray(noise[number % 300 : number % 300 + HEIGHT, 2 * number % 1900 :][:, :WIDTH])
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            packets += stream.encode(frame)
        packets += stream.encode()
        kept = [(bytes(packet), packet.pts, packet.dts, packet.is_keyframe) for packet in packets]
        unit = packets[0].time_base
        shift = int(SECONDS / unit)
        for again in range(REPEATED):
            for content, pts, dts, is_key in kept:
                packet = av.Packet(content)
                packet.pts, packet.dts, packet.time_base = pts + again * shift, dts + again * shift, unit
                packet.is_keyframe, packet.stream = is_key, stream
                container.mux(packet)


def rows(path: Path, cache: Path):
    import obstore
    from obstore.store import from_url
    from tests import moto_server

    from lfb_lightning.files.objects import ranged_file
    from lfb_lightning.video import VideoFile

    rng = np.random.default_rng(1)
    size = path.stat().st_size
    clips = [start + np.arange(32) * 2 / FPS for start in rng.uniform(0, SECONDS * REPEATED - 3, CLIPS)]
    streamed = np.array([second + np.arange(4) * 16 / FPS for second in range(SECONDS * REPEATED - 3)])
    with moto_server.serving() as server:
        server.make_bucket("bucket")
        line = moto_server.Line(server.port)
        os.environ |= {**server.environment(line.address), "LFB_CACHE_DIR": str(cache)}
        obstore.put(from_url("s3://bucket", client_options={"allow_http": True}), "long.mp4", path)
        here, there = VideoFile(path), VideoFile("s3://bucket/long.mp4")
        yield "what", "object store", "local file", "ratio", "fetched, of the file"
        yield ("---",) * 5
        for what, gigabytes in (("no cache on the disk", "0"), ("first time", "4"), ("once more", "4")):
            os.environ["LFB_CACHE_GB"] = gigabytes
            ranged_file._kept.blocks.clear()
            line.mend()
            ours, theirs = [], []
            for clip in clips:
                ours.append(timed(there.clip, clip))
                theirs.append(timed(here.clip, clip))
            got = f"{line.received / 1e6:.1f} of {size / 1e6:.1f} MB"
            yield (
                f"random clip, {what}",
                ms(median(ours)),
                ms(median(theirs)),
                times(median(ours) / median(theirs)),
                got,
            )
        for what, gigabytes in (("no cache on the disk", "0"), ("cached", "4"), ("cached, once more", "4")):
            os.environ["LFB_CACHE_GB"] = gigabytes
            ranged_file._kept.blocks.clear()
            line.mend()
            ours = timed(lambda: [None for _ in there.stream(streamed)])
            theirs = timed(lambda: [None for _ in here.stream(streamed)])
            got = f"{line.received / 1e6:.1f} of {size / 1e6:.1f} MB"
            yield (
                f"{len(streamed)} clips in one pass, {what}",
                f"{len(streamed) / ours:.0f} clips/s",
                f"{len(streamed) / theirs:.0f} clips/s",
                times(ours / theirs),
                got,
            )
        line.close()


if __name__ == "__main__":
    main()
