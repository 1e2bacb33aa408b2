"""Feeds a video to an address at its own speed, as MPEG-TS: what a camera in the network does.

python -m tests.live.feeder VIDEO URL [--loops N] [--speed X]
"""

import argparse
import time
from fractions import Fraction

import av


def feed(video, url, *, loops=1, speed=1.0):
    """Send the packets of a video, each when it is due."""
    with av.open(url, "w", format="mpegts", options={"flush_packets": "1"}) as target:
        with av.open(video) as source:
            stream = target.add_stream_from_template(source.streams.video[0])
        begin, shift = None, Fraction(0)
        for _ in range(loops):
            with av.open(video) as source:
                pictures = source.streams.video[0]
                end = Fraction(0)
                for packet in source.demux(pictures):
                    if packet.dts is None:
                        continue
                    base = packet.time_base
                    end = max(end, (packet.pts + packet.duration) * base)
                    packet.pts += int(shift / base)
                    packet.dts += int(shift / base)
                    due = float(packet.dts * base) / speed
                    if begin is not None:
                        time.sleep(max(0.0, begin + due - time.monotonic()))
                    packet.stream = stream
                    target.mux(packet)  # the first one waits for whoever listens
                    begin = time.monotonic() - due if begin is None else begin
            shift += end


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("video")
    parser.add_argument("url")
    parser.add_argument("--loops", type=int, default=1)
    parser.add_argument("--speed", type=float, default=1.0)
    asked = parser.parse_args()
    feed(asked.video, asked.url, loops=asked.loops, speed=asked.speed)
