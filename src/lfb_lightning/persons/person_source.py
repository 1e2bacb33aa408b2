"""What finding persons in a video means. Any object that has it works, whoever wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from lfb_lightning.structures import Proposals


@runtime_checkable
class PersonSource(Protocol):
    """Finds the persons in frames of a video.

    A source is used for one frame after another of any number of videos and keeps nothing between calls: what it finds in
    a frame does not depend on the frames before it. Who is who is the linker's part (`PersonLinker`).
    """

    def find(
        self, frames: Sequence[UInt8[np.ndarray, "H W 3"]], seconds: Sequence[float], video_id: str
    ) -> list[Proposals]:
        """Find the persons in a batch of frames.

        Args:
            frames: RGB, upright, all of one size; there may be none.
            seconds: When each frame is shown, in seconds since the video's first frame.
            video_id: The video that the frames are from.

        Returns:
            The persons of each frame: normalized boxes within 0..1 with area, best score first, already thresholded.

        Raises:
            InputError: The source cannot be used: weights, a file or a package is missing or does not fit.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """State what decides which persons are found: the detector, its weights' digest, the thresholds.

        Returns:
            Plain values, as they are written beside results. `lfb-detect` does not mix persons of sources that differ.
        """
        ...
