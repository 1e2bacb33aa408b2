"""What backbones see of the persons at one moment after another.

A prediction may need several features of one person: the detector's own, those of the backbone that its bank was made
with, and those of a second detector that it is compared with. Where these are the same, they are computed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64, UInt8
from torch import Tensor

from lfb_lightning.clips import ClipSettings, collate
from lfb_lightning.clips.normalize import normalize
from lfb_lightning.models import InferenceDetector
from lfb_lightning.structures import Keyframe, Proposals, Sample


@dataclass(frozen=True, slots=True)
class Look:
    """A backbone, and how clips are made for it.

    Args:
        detector: Whose short-term features are computed.
        clips: How its clips are cut, resized and normalized.
    """

    detector: InferenceDetector
    clips: ClipSettings

    @torch.inference_mode()
    def features(
        self, clips: Sequence[UInt8[np.ndarray, "T H W 3"]], persons: Sequence[Proposals], device: torch.device
    ) -> Float[Tensor, "R C"]:
        """Compute the short-term features of the persons of some clips, on the CPU, in fp32.

        Args:
            clips: Frames of the clips.
            persons: The persons of each clip.
            device: Where to compute.
        """
        samples = []
        for frames, found in zip(clips, persons, strict=True):
            pixels, rois, _ = self.clips.eval_view(frames, found.boxes)
            boxes, scores = torch.from_numpy(found.boxes), torch.from_numpy(found.scores)
            samples.append(Sample(Keyframe("", 0), pixels, rois, boxes, scores))
        if not any(map(len, persons)):
            return torch.zeros(0, self.detector.channels)
        batch = normalize(collate(samples).to(device), mean=self.clips.mean, std=self.clips.std)
        assert batch.clips is not None
        return self.detector.short_term_features(batch.clips, batch.rois).float().cpu()


class Looks:
    """The looks of a prediction, each once.

    Args:
        device: Where they compute.

    Attributes:
        each: The looks.
        digests: What decides the features of each.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.each: list[Look] = []
        self.digests: list[str] = []

    def number_of(self, detector: InferenceDetector, clips: ClipSettings) -> int:
        """Give the number of the look of a detector's backbone; detectors that see the same have one.

        Args:
            detector: Whose backbone looks.
            clips: How its clips are made.
        """
        digest = f"{detector.describe_features()} {clips}"
        if digest not in self.digests:
            self.digests.append(digest)
            self.each.append(Look(detector.to(self.device), clips))
        return self.digests.index(digest)


class ClipRows:
    """The times of the frames that all looks need at each moment, in one row: what `Video.stream` is asked for.

    Args:
        seconds: The moments, ascending.
        looks: What is going to look at them.
        scored: Which of the moments they look at; of the others, only the moment's own frame is needed.
    """

    def __init__(self, seconds: Sequence[float], looks: Sequence[Look], scored: Sequence[bool]) -> None:
        self._bounds = np.cumsum([0, *(look.clips.num_frames for look in looks)])
        unsorted = np.empty((len(seconds), self._bounds[-1] + 1))
        last = -np.inf
        for row, second, looked_at in zip(unsorted, seconds, scored, strict=True):
            row[:] = second
            if looked_at:
                row[:-1] = np.concatenate([look.clips.sampling.times(second) for look in looks])
            else:
                row[0] = max(second, last)  # rows are read in the order of their last times
            last = row.max()
        order = np.argsort(unsorted, axis=1, kind="stable")
        self.times: Float64[np.ndarray, "M T"] = np.take_along_axis(unsorted, order, axis=1)
        self._places: Int64[np.ndarray, "M T"] = np.argsort(order, axis=1, kind="stable")

    def clip(self, moment: int, look: int, frames: UInt8[np.ndarray, "T H W 3"]) -> UInt8[np.ndarray, "t H W 3"]:
        """Pick a look's clip out of a moment's frames."""
        return frames[self._places[moment, self._bounds[look] : self._bounds[look + 1]]]

    def key_frame(self, moment: int, frames: UInt8[np.ndarray, "T H W 3"]) -> UInt8[np.ndarray, "H W 3"]:
        """Pick the frame of the moment itself."""
        key: UInt8[np.ndarray, "H W 3"] = frames[self._places[moment, -1]]
        return key
