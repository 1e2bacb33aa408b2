"""Which moments of a video make the clip around a moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64


@dataclass(frozen=True, slots=True)
class ClipSampling:
    """Samples `num_frames` frames around a moment, `stride` frames of a video at `fps` apart.

    Frame i lies (i - num_frames / 2) * stride frames from the moment, as in the original LFB code: 4 x 16 at 30 fps is
    -32, -16, 0, +16.

    Args:
        num_frames: Frames per clip.
        stride: Frames from one to the next.
        fps: Frames per second that `stride` counts in; the video's own rate may differ.
        shift: Frames by which every clip is moved: mmaction2 1.x reads clips one frame late.
    """

    num_frames: int
    stride: int
    fps: float
    shift: float = 0.0

    def times(self, moment: float) -> Float64[np.ndarray, " T"]:
        """Compute the presentation times of a clip's frames.

        Args:
            moment: Seconds since the video's first frame.

        Returns:
            Seconds since the video's first frame; some may lie before it or after the video's end.
        """
        frames = np.arange(self.num_frames) * self.stride - self.num_frames * self.stride / 2 + self.shift
        return moment + frames / self.fps
