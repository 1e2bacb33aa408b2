"""What was seen of a stretch of a video: its persons, their tracks, their features, and a thumbnail of each moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Glimpses:
    """Persons between the scored moments, who are rows in order of time: they tell tracks and where boxes move.

    Args:
        seconds: When, since the video's first frame.
        boxes: Normalized xyxy.
        scores: The person detector's confidences.
        tracks: Track ids.
    """

    seconds: Float64[np.ndarray, " G"]
    boxes: Float64[np.ndarray, "G 4"]
    scores: Float64[np.ndarray, " G"]
    tracks: Int64[np.ndarray, " G"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """M consecutive moments of a video with N persons in all, who are rows in order of time.

    Args:
        ticks: The moments.
        moment: Index of each row's moment.
        boxes: Normalized xyxy.
        scores: The person detector's confidences.
        tracks: Track ids.
        features: One tensor per look.
        thumbnails: JPEG of each moment.
        glimpses: Persons between the moments.
    """

    ticks: Int64[np.ndarray, " M"]
    moment: Int64[np.ndarray, " N"]
    boxes: Float64[np.ndarray, "N 4"]
    scores: Float64[np.ndarray, " N"]
    tracks: Int64[np.ndarray, " N"]
    features: Sequence[Float[Tensor, "N _"]]
    thumbnails: Sequence[bytes]
    glimpses: Glimpses

    def __len__(self) -> int:
        return len(self.moment)

    @property
    def row_ticks(self) -> Int64[np.ndarray, " N"]:
        """The tick of each row."""
        return self.ticks[self.moment]


def joined(parts: Sequence[Observed]) -> Observed:
    """Join stretches that follow each other; at least one."""
    begins = np.cumsum([0, *(len(part.ticks) for part in parts)])[:-1]
    return Observed(
        ticks=np.concatenate([part.ticks for part in parts]),
        moment=np.concatenate([part.moment + begin for part, begin in zip(parts, begins, strict=True)]),
        boxes=np.concatenate([part.boxes for part in parts]),
        scores=np.concatenate([part.scores for part in parts]),
        tracks=np.concatenate([part.tracks for part in parts]),
        features=[torch.cat(same) for same in zip(*(part.features for part in parts), strict=True)],
        thumbnails=[thumbnail for part in parts for thumbnail in part.thumbnails],
        glimpses=joined_glimpses([part.glimpses for part in parts]),
    )


def joined_glimpses(parts: Sequence[Glimpses]) -> Glimpses:
    """Join glimpses that follow each other; at least one."""
    names = [field.name for field in fields(Glimpses)]
    return Glimpses(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})
