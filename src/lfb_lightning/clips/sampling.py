"""Which moments of a video make the clip of a keyframe."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64


@dataclass(frozen=True, slots=True)
class ClipSampling:
    """`num_frames` frames, every `stride`-th at `fps` frames a second, around the keyframe.

    Frame i lies (i - num_frames / 2) * stride frames from the keyframe, as in the original code: 4 x 16 at 30 fps is
    -32, -16, 0, +16. `origin_second` is the timestamp of the video's first frame (AVA's cuts: 900; whole movies: 0).
    `shift` moves every clip by frames: mmaction2 1.x reads clips one frame late.
    """

    num_frames: int
    stride: int
    fps: float
    origin_second: float
    shift: float = 0.0

    def times(self, timestamp: int) -> Float64[np.ndarray, " T"]:
        """Seconds since the video's first frame; may lie before it or after its end."""
        frames = np.arange(self.num_frames) * self.stride - self.num_frames * self.stride / 2 + self.shift
        return (timestamp - self.origin_second) + frames / self.fps
