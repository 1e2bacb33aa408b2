"""The values that travel between the rooms, and their shapes.

Frozen dataclasses: a batch is made once and moved (`.to()`, `.pin_memory()`), never edited. Letters: B clips, T frames,
H x W pixels, R regions of interest (persons in clips), A action columns, S window slots, C feature channels.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Shaped, UInt8
from torch import Tensor

T = TypeVar("T", bound="_Movable")


class Keyframe(NamedTuple):
    """A moment of a video.

    Args:
        video_id: As in the data set's files.
        timestamp: When, in ticks of the data set's clock (`clock.Clock`): AVA's ticks once per second, so 902 is second 902
            of the original video.

    A tuple, because a training set has 200,000 of them: made and hashed without a line of Python each.
    """

    video_id: str
    timestamp: int

    def __str__(self) -> str:
        return f"{self.video_id},{self.timestamp:04d}"


class Item(NamedTuple):
    """What an evaluator counts once: a keyframe of AVA, a video of Charades, a segment of EPIC.

    Args:
        number: identity of the item among those of its split; views of one item share it.
        keyframe: the moment around which this view of the item is read.
    """

    number: int
    keyframe: Keyframe


class _Movable:
    """`.to()` and `.pin_memory()` over every tensor field, nested ones included."""

    def _map(self: T, method: str, *args: Any, **kwargs: Any) -> T:
        changes = {}
        for field in fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if isinstance(value, Tensor | _Movable):
                changes[field.name] = getattr(value, method)(*args, **kwargs)
            elif isinstance(value, tuple) and value and isinstance(value[0], _Movable):
                changes[field.name] = tuple(getattr(entry, method)(*args, **kwargs) for entry in value)
        return replace(self, **changes)  # type: ignore[type-var]

    def to(self: T, *args: Any, **kwargs: Any) -> T:
        """Copy with every tensor moved as `Tensor.to` would."""
        return self._map("to", *args, **kwargs)

    def pin_memory(self: T) -> T:
        """Copy with every tensor in page-locked memory."""
        return self._map("pin_memory")


@dataclass(frozen=True, slots=True)
class Proposals:
    """Detected persons of one keyframe: normalized xyxy boxes and detector scores, best first or not."""

    boxes: Float64[np.ndarray, "P 4"]
    scores: Float64[np.ndarray, " P"]

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True, slots=True)
class GroundTruth:
    """Annotated persons of one keyframe: normalized xyxy boxes, multi-hot actions (column = action id)."""

    boxes: Float64[np.ndarray, "P 4"]
    labels: Bool[np.ndarray, "P A"]

    def __len__(self) -> int:
        return len(self.boxes)


@dataclass(frozen=True, slots=True)
class BankWindow(_Movable):
    """The slice of the feature bank around each clip, once per clip.

    Slots run second by second (`features_per_second` slots each), filled from the front of each second; an empty slot
    is zero in `features` and False in `mask`. `features` keep the precision that the bank is stored in, so that half or
    a quarter of the bytes travel to the device; an int8 slot stands for `features * scales`.
    """

    features: Shaped[Tensor, "B S C"]
    mask: Bool[Tensor, "B S"]
    scales: Float32[Tensor, "B S"] | None = None

    def packed(self, dtype: torch.dtype) -> Float[Tensor, "N C"]:
        """The filled slots' features, clip by clip, in a dtype to compute in."""
        rows = self.features[self.mask].to(dtype)
        return rows if self.scales is None else rows * self.scales[self.mask][:, None].to(dtype)

    def padded(self, dtype: torch.dtype) -> Float[Tensor, "B S C"]:
        """All slots' features, zero where empty, in a dtype to compute in."""
        features = self.features.to(dtype)
        return features if self.scales is None else features * self.scales[:, :, None].to(dtype)


@dataclass(frozen=True, slots=True)
class Sample:
    """One keyframe before batching: a clip *or* its persons' stored short-term features.

    `rois` are pixel xyxy boxes in the transformed clip, `boxes` the untouched normalized ones that evaluation reports,
    `labels` multi-hot float actions (None where nothing is annotated for use), `scores` the proposals' confidences,
    `item` the number of the item that an evaluator counts it for.
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
class ClipBatch(_Movable):
    """A batch of keyframes: `rois[:, 0]` names the clip that each person belongs to.

    `clips` are uint8 until the datamodule normalizes them on the device, or None when `short_term` carries the
    persons' features instead (training on a bank with a frozen backbone). `window` is None for models without FBO.
    `items` holds one number per keyframe, of the item that an evaluator counts it for.
    """

    keyframes: list[Keyframe]
    clips: UInt8[Tensor, "B 3 T H W"] | Float[Tensor, "B 3 T H W"] | None
    rois: Float[Tensor, "R 5"]
    boxes: Float64[Tensor, "R 4"]
    scores: Float64[Tensor, " R"]
    labels: Float[Tensor, "R A"] | None = None
    short_term: Float[Tensor, "R C"] | None = None
    window: BankWindow | None = None
    items: tuple[int, ...] = ()

    @property
    def clip_of_roi(self) -> Tensor:
        """Index of each person's clip, `[R]` int64."""
        return self.rois[:, 0].long()

    def with_window(self, window: BankWindow) -> ClipBatch:
        """The same batch with its clips' bank windows."""
        return replace(self, window=window)


@dataclass(frozen=True, slots=True)
class ViewBatch(_Movable):
    """The same keyframes and persons seen several ways (sizes, flips, crops), for averaged scores.

    `inside[v, r]`: view v shows person r. Views of equal `groups` (crops of one size and flip) are averaged first.
    """

    views: tuple[ClipBatch, ...]
    inside: Bool[Tensor, "V R"]
    groups: list[int]

    def average(self, scores: Float[Tensor, "V R A"]) -> Float[Tensor, "R A"]:
        """Mean over the views of a group that show a person, then over the groups of which any does."""
        groups = torch.tensor(self.groups, device=scores.device)
        weight = self.inside.to(scores.dtype)
        member = (groups[None, :] == groups.unique()[:, None]).to(scores.dtype)  # [G, V]
        shown = member @ weight  # [G, R]
        means = torch.einsum("gv,vr,vra->gra", member, weight, scores) / shown.clamp(min=1)[:, :, None]
        return means.sum(dim=0) / (shown > 0).sum(dim=0).clamp(min=1)[:, None]


@dataclass(frozen=True, slots=True)
class Detections(_Movable):
    """Scores of a batch: for person r of `keyframes[clip_of_roi[r]]`, `scores[r, a]` for score column `a`.

    `items` holds one number per keyframe, of the item that it is a view of.
    """

    keyframes: list[Keyframe]
    clip_of_roi: Shaped[Tensor, " R"]
    boxes: Float64[Tensor, "R 4"]
    scores: Float[Tensor, "R A"]
    items: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class VideoFailure(_Movable):
    """What a streaming reader yields in place of the rest of a video that it could not read."""

    video_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class PersonFeatures(_Movable):
    """Short-term features of the persons of one video's next keyframes, on their way into the bank."""

    keyframes: list[Keyframe]
    clip_of_roi: Shaped[Tensor, " R"]
    boxes: Float64[Tensor, "R 4"]
    scores: Float64[Tensor, " R"]
    features: Float[Tensor, "R C"]


def empty_proposals() -> Proposals:
    """No persons."""
    return Proposals(boxes=np.zeros((0, 4)), scores=np.zeros(0))


def rows_of_clips(counts: list[int]) -> Tensor:
    """Clip index of every row when clip i owns `counts[i]` rows, `[R]` int64."""
    return torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts, dtype=torch.long))
