"""Clips of one video around given moments, by random access or in one pass. Knows no data set, lock or error policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, UInt8
from torch import Tensor

from lfb_lightning.clips.sampling import ClipPart, ClipSampling
from lfb_lightning.clips.transforms import ClipTransform
from lfb_lightning.video.protocol import Video

Show = Callable[[np.ndarray, np.ndarray], tuple[Tensor, Tensor, Tensor]]


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip as a network reads it.

    Args:
        pixels: RGB of the transformed frames.
        rois: The regions' boxes in pixels of the clip, xyxy, clipped to it.
        inside: Which regions the clip shows by a pixel at least.
    """

    pixels: UInt8[Tensor, "3 T H W"]
    rois: Float[Tensor, "P 4"]
    inside: Bool[Tensor, " P"]


def clip_at(
    video: Video,
    moment: float,
    boxes: Float64[np.ndarray, "P 4"],
    *,
    sampling: ClipSampling,
    transform: ClipTransform,
    generator: torch.Generator | None = None,
    part: ClipPart | None = None,
) -> Clip:
    """Read the clip around one moment by random access.

    Args:
        video: Where the frames come from.
        moment: Seconds since the video's first frame.
        boxes: Normalized xyxy boxes of the regions.
        sampling: Which frames make the clip.
        transform: Resizing and augmentation.
        generator: Source of the transform's random choices.
        part: What the clip does not leave; None: any frame of the video may be shown.

    Raises:
        InputError: The video cannot be read; the message names its file.
    """
    return Clip(*transform(video.clip(sampling.times(moment, part)), boxes, generator))


def clips(
    video: Video,
    times: Float64[np.ndarray, "N T"],
    boxes: Sequence[Float64[np.ndarray, "_ 4"]],
    *,
    views: Sequence[Show],
    reach: float = 0.0,
) -> Iterator[list[Clip]]:
    """Read clips in one pass over the video.

    Args:
        video: Where the frames come from.
        times: The clips' frames in seconds since the video's first one, as `ClipSampling.times` gives them; the clips are
            ordered by their last frame. The nearest frame stands in outside of the video.
        boxes: Per clip, the normalized xyxy boxes of its regions.
        views: The ways in which each clip is shown.
        reach: Moment that the video has to reach, or it was cut off; 0 for none.

    Yields:
        Each clip in each view.

    Raises:
        InputError: The video cannot be read or ends before `reach`; the message names its file.
    """
    if len(times) == 0:
        return
    for regions, frames in zip(boxes, video.stream(times, reach=reach), strict=True):
        yield [Clip(*view(frames, regions)) for view in views]
