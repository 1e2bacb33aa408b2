"""Synthetic H.264 video for the decoding benchmarks: moving noise, B-frames, one key picture every ten seconds."""

from pathlib import Path

import av
import numpy as np


def write_h264(path: Path, *, width: int, height: int, seconds: int, fps: int = 30, gop: int = 250) -> Path:
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 256, (height // 8 + 40, width // 8 + 40, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=fps, options={"crf": "23", "bf": "3", "g": str(gop), "preset": "fast"}
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(fps * seconds):
            y, x = int(150 + 140 * np.sin(number / 40)), int(150 + 140 * np.cos(number / 55))
            image = texture[y : y + height, x : x + width].copy()
            image[::7, :: (number % 9) + 3] //= 2
            for packet in stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path
