"""Encoding the pictures of the generated data sets: H.264 whose bytes depend on the pictures and FFmpeg's release alone."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
from jaxtyping import UInt8
from numpy import ndarray

from lfb_lightning.mini_ava.figure import SIZE


def encode_video(path: Path, frames: Iterable[UInt8[ndarray, "H W 3"]], *, fps: int) -> None:
    """Write a video; the file is whole or not there.

    Args:
        path: The file, an mp4.
        frames: RGB, of `SIZE` pixels a side.
        fps: Frames per second.
    """
    temporary = path.with_suffix(".partial.mp4")
    with av.open(str(temporary), "w") as container:
        # x264 is deterministic on every processor only without its macroblock tree and with one thread. B-frames, and key
        # pictures 1.5 seconds apart, let mistakes of seeking show in tests.
        options = {
            "crf": "20",
            "preset": "veryfast",
            "bf": "2",
            "g": str(3 * fps // 2),
            "x264-params": "threads=1:no-mbtree=1",
        }
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.width = stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, fps)
        for index, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    temporary.replace(path)
