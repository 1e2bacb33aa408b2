"""A clip as it is usually read with PyAV: open, seek to the key picture before it, decode everything up to its end."""

from pathlib import Path

import av
import numpy as np


def read_clip(path: Path, times: np.ndarray) -> np.ndarray:
    picked: dict[int, np.ndarray] = {}
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        start, base = stream.start_time or 0, float(stream.time_base)
        container.seek(start + int(max(times[0] - 0.5, 0) / base), stream=stream, backward=True)
        best = np.full(len(times), np.inf)
        for frame in container.decode(stream):
            second = (frame.pts - start) * base
            distance = np.abs(times - second)
            for index in np.flatnonzero(distance < best - 1e-9):
                best[index] = distance[index]
                picked[index] = frame
            if second > times[-1] + 0.1:
                break
        return np.stack([picked[index].to_ndarray(format="rgb24") for index in range(len(times))])
