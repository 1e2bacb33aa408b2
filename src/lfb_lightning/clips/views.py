"""Test-time augmentation: several sizes, flips and crops of a clip, whose scores are averaged for each person.

Wu et al. test with short sides 224, 256 and 320, each as it is and flipped, in three square crops along the long side:
a person's score is the mean over the crops that show it, then over sizes and flips. Their bank was made anew for each
size and flip; here, all views read the one bank that there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, UInt8
from torch import Tensor

from lfb_lightning.clips.transforms import ClipTransform
from lfb_lightning.errors import InputError


@dataclass(frozen=True, slots=True)
class View:
    """One way to show a clip: a size, flipped or not, and one of `crops` squares along the long side (1: the whole frame).

    A square in the middle that would begin at half a pixel begins at the one before, or with `rounds_up` at the one after.
    """

    short_side: int | None
    flip: bool
    crop: int
    crops: int
    resize: str
    rounds_up: bool = False

    def __call__(
        self, frames: UInt8[np.ndarray, "T H W 3"], boxes: Float64[np.ndarray, "P 4"]
    ) -> tuple[UInt8[Tensor, "3 T h w"], Float[Tensor, "P 4"], Bool[Tensor, " P"]]:
        """Show a clip.

        Returns:
            The clip, the boxes of all persons in pixels of it, and which persons it shows.
        """
        sides = None if self.short_side is None else (self.short_side, self.short_side)
        clip, rois, inside = ClipTransform(short_side=sides, resize=self.resize)(frames, boxes)
        if self.crops > 1:
            height, width = clip.shape[2:]
            size = min(height, width)
            room = (max(height, width) - size) * self.crop
            offset = -(-room // (self.crops - 1)) if self.rounds_up else room // (self.crops - 1)
            top, left = (offset, 0) if height > width else (0, offset)
            clip = clip[:, :, top : top + size, left : left + size]
            rois = (rois - torch.tensor([left, top, left, top])).clamp(0, size)
            inside = inside & (rois[:, 2] - rois[:, 0] >= 1) & (rois[:, 3] - rois[:, 1] >= 1)
        if self.flip:
            clip = clip.flip(3)
            rois = torch.stack([clip.shape[3] - rois[:, 2], rois[:, 1], clip.shape[3] - rois[:, 0], rois[:, 3]], dim=1)
        return clip.contiguous(), rois, inside


def make_views(
    scales: Sequence[int | None], *, flip: bool, crops: int, resize: str, rounds_up: bool = False
) -> list[View]:
    """Combine every size, flip and crop; the crops of one size and flip stand next to each other.

    Args:
        scales: Short sides in pixels.
        flip: Whether each is also shown flipped.
        crops: Squares along the long side; 1: the whole frame.
        resize: As `ClipTransform` has it.
        rounds_up: As `View` has it.
    """
    if crops not in (1, 3):
        raise InputError(
            f"data.test_crops is {crops}, expected 1 (the whole frame) or 3 (squares along the long side)."
        )
    return [
        View(scale, flipped, crop, crops, resize, rounds_up)
        for scale in scales
        for flipped in ((False, True) if flip else (False,))
        for crop in range(crops)
    ]
