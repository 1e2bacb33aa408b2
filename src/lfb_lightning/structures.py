"""The values that travel between the rooms of the package, and their shapes.

They are frozen dataclasses: a batch is made once and moved (`.to()`, `.pin_memory()`), never changed. In the shapes, B
counts clips, T frames, H x W pixels, R regions of interest (persons in clips), P persons of one keyframe, A action
columns, S slots of a window, L layers, C feature channels, V views. Boxes are normalized xyxy unless called `rois`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Shaped, UInt8
from torch import Tensor

from lfb_lightning.bank_window import BankWindow as BankWindow
from lfb_lightning.bank_window import BankWindows as BankWindows
from lfb_lightning.movable import Movable


class Keyframe(NamedTuple):
    """A moment of a video; a tuple, since 200,000 of them are made and hashed without a line of Python each.

    Attributes:
        video_id: Id of the video, as in the data set's files.
        timestamp: The moment in ticks of the data set's clock (`clock.Clock`); AVA's ticks are seconds of the original video.
    """

    video_id: str
    timestamp: int

    def __str__(self) -> str:
        return f"{self.video_id},{self.timestamp:04d}"


class Item(NamedTuple):
    """What an evaluator counts once: a keyframe of AVA, a video of Charades, a segment of EPIC-Kitchens.

    Attributes:
        number: Identity of the item among those of its split; views of one item share it.
        keyframe: The moment around which this view of the item is read.
    """

    number: int
    keyframe: Keyframe


@dataclass(frozen=True, slots=True)
class Proposals:
    """The persons that a detector found at one keyframe, in any order, with its confidences."""

    boxes: Float64[np.ndarray, "P 4"]
    scores: Float64[np.ndarray, " P"]

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """The annotated persons of one keyframe, and which actions each does (column = action id)."""

    boxes: Float64[np.ndarray, "P 4"]
    labels: Bool[np.ndarray, "P A"]

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True, slots=True)
class Attention(Movable):
    """Where each person's layers looked in its clip's window.

    For a person and a layer, the weights and the empty slots' share add up to 1; where there was nothing to attend to, all
    of them are 0.

    Args:
        weights: The softmax weight of each slot of the window, and 0 for an empty slot.
        empty: What the empty slots had together, where they take part in the softmax.
    """

    weights: Float32[Tensor, "R L S"]
    empty: Float32[Tensor, "R L"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One keyframe before batching: a clip, or in its place the stored short-term features of its persons.

    Args:
        keyframe: The moment.
        clip: RGB of the transformed frames; None where `short_term` is given.
        rois: The persons' xyxy boxes in pixels of the transformed clip.
        boxes: The same boxes untouched, as evaluation reports them.
        scores: Confidences of the proposals; 1 for annotated persons.
        labels: Multi-hot actions; None where nothing is annotated for use.
        short_term: The persons' features from the bank; None where `clip` is given.
        item: Number of the item that an evaluator counts the sample for.
    """

    keyframe: Keyframe
    clip: UInt8[Tensor, "3 T H W"] | None
    rois: Float[Tensor, "P 4"]
    boxes: Float64[Tensor, "P 4"]
    scores: Float64[Tensor, " P"]
    labels: Float[Tensor, "P A"] | None = None
    short_term: Float[Tensor, "P C"] | None = None
    item: int = 0


@dataclass(frozen=True, slots=True)
class ClipBatch(Movable):
    """A batch of keyframes, with what `Sample` has of each.

    Args:
        keyframes: The moments.
        clips: uint8 until the data module normalizes them on the device; None where `short_term` is given.
        rois: The number of the clip that each region belongs to, and its box in pixels of that clip.
        boxes: See `Sample`, as for `scores`, `labels` and `short_term`.
        window: The bank around each clip, or several; None for models that read no bank.
        items: For each keyframe, the number of its item.
    """

    keyframes: list[Keyframe]
    clips: UInt8[Tensor, "B 3 T H W"] | Float[Tensor, "B 3 T H W"] | None
    rois: Float[Tensor, "R 5"]
    boxes: Float64[Tensor, "R 4"]
    scores: Float64[Tensor, " R"]
    labels: Float[Tensor, "R A"] | None = None
    short_term: Float[Tensor, "R C"] | None = None
    window: BankWindow | BankWindows | None = None
    items: tuple[int, ...] = ()

    @property
    def clip_of_roi(self) -> Tensor:
        """Index of each person's clip, `[R]` int64."""
        return self.rois[:, 0].long()

    def with_window(self, window: BankWindow | BankWindows) -> ClipBatch:
        """Copy the batch with the bank windows of its clips."""
        return replace(self, window=window)


@dataclass(frozen=True, slots=True)
class ViewBatch(Movable):
    """The same keyframes and regions seen in several ways (sizes, flips, crops), whose scores become one.

    `inside[v, r]`: view v shows region r. `reduce`: `max`, or `mean` over views of equal `groups` (size and flip) first.
    """

    views: tuple[ClipBatch, ...]
    inside: Bool[Tensor, "V R"]
    groups: list[int]
    reduce: str = "mean"

    def reduced(self, scores: Float[Tensor, "V R A"]) -> Float[Tensor, "R A"]:
        """Reduce the scores of the views that show a region as `reduce` says; a region that none shows has 0."""
        return self._best(scores) if self.reduce == "max" else self._average(scores)

    def _best(self, scores: Float[Tensor, "V R A"]) -> Float[Tensor, "R A"]:
        best = scores.masked_fill(~self.inside[:, :, None], -torch.inf).amax(dim=0)
        return best.masked_fill(~self.inside.any(dim=0)[:, None], 0.0)

    def _average(self, scores: Float[Tensor, "V R A"]) -> Float[Tensor, "R A"]:
        weight = self.inside.to(scores.dtype)
        member = torch.tensor([[one == group for one in self.groups] for group in sorted(set(self.groups))])  # [G, V]
        member = member.to(scores.device, scores.dtype, non_blocking=True)
        shown = member @ weight  # [G, R]
        means = torch.einsum("gv,vr,vra->gra", member, weight, scores) / shown.clamp(min=1)[:, :, None]
        return means.sum(dim=0) / (shown > 0).sum(dim=0).clamp(min=1)[:, None]


@dataclass(frozen=True, slots=True)
class Detections(Movable):
    """`scores[r, a]` is that of column a for region r of `keyframes[c]`, a view of item `items[c]`; c: `clip_of_roi[r]`."""

    keyframes: list[Keyframe]
    clip_of_roi: Shaped[Tensor, " R"]
    boxes: Float64[Tensor, "R 4"]
    scores: Float[Tensor, "R A"]
    items: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class VideoFailure(Movable):
    """What a streaming reader yields in place of the rest of a video that it could not read."""

    video_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class PersonFeatures(Movable):
    """Short-term features of the regions of one video's next keyframes, on their way into the bank."""

    keyframes: list[Keyframe]
    clip_of_roi: Shaped[Tensor, " R"]
    boxes: Float64[Tensor, "R 4"]
    scores: Float64[Tensor, " R"]
    features: Float[Tensor, "R C"]
