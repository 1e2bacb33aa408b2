"""Which moments of a video make the clip around a moment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64

SPACINGS = ("stride", "even")


class ClipPart(NamedTuple):
    """The part of a video that a clip does not leave, such as a segment, counted in frames of a rate of its own.

    Attributes:
        first: The part's first frame, from 0.
        length: Its frames.
        begin: Where in it the clip begins, in frames, between two of them too.
        fps: Frames per second by which these are counted.
    """

    first: int
    length: int
    begin: float
    fps: float


@dataclass(frozen=True, slots=True)
class ClipSampling:
    """Samples `num_frames` frames around a moment, `stride` frames of a video at `fps` apart.

    Frame i lies (i - num_frames / 2) * stride frames from the moment, as in the original LFB code: 4 x 16 at 30 fps is
    -32, -16, 0, +16. Evenly spaced (epic-kitchens-slowfast), the first and the last are those of the clip's whole length:
    4 x 16 is then -32, -11, +10, +31.

    Args:
        num_frames: Frames per clip.
        stride: Frames from one to the next.
        fps: Frames per second that `stride` counts in; the video's own rate may differ.
        shift: Frames by which every clip is moved: mmaction2 1.x reads clips one frame late.
        spacing: `stride`, or `even`.
    """

    num_frames: int
    stride: int
    fps: float
    shift: float = 0.0
    spacing: str = "stride"

    def times(self, moment: float, part: ClipPart | None = None) -> Float64[np.ndarray, " T"]:
        """Compute the presentation times of a clip's frames.

        Args:
            moment: Seconds since the video's first frame.
            part: What an evenly spaced clip does not leave; it begins where the part says, whatever the moment. None: any
                frame around the moment.

        Returns:
            Seconds since the video's first frame; some may lie before it or after the video's end.
        """
        if self.spacing == "even":
            return self._even(moment, part)
        frames = np.arange(self.num_frames) * self.stride - self.num_frames * self.stride / 2 + self.shift
        return moment + frames / self.fps

    def _even(self, moment: float, part: ClipPart | None) -> Float64[np.ndarray, " T"]:
        """Space frames as epic-kitchens-slowfast does, in its arithmetic of 32 bits: frame 1 of a part is its first."""
        fps = self.fps if part is None else part.fps
        span = self.num_frames * self.stride * fps / self.fps
        if part is None:
            start = moment * fps - span / 2
            part = ClipPart(round(start), 0, start - round(start), fps)
        begin = part.begin + self.shift * fps / self.fps
        frames = torch.linspace(begin + 1, begin + span, self.num_frames)
        if part.length > 0:
            frames = frames.clamp(
                1, max(part.length - 1, 1)
            )  # Source: its last but one, and of one frame the one before
        return (part.first - 1 + frames.floor().double().numpy()) / fps
