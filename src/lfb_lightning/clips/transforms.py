"""Resizes, crops and flips clips and their boxes together (torchvision's v2 functions on tv_tensors).

Random choices come from a generator of the sample's own, so that the number of workers changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64, UInt8
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms.v2 import functional as F

from lfb_lightning.boxes import pixels_from_normalized
from lfb_lightning.clips.fixed_point_resize import resize_fixed_point


@dataclass(frozen=True, slots=True)
class ClipTransform:
    """Resizes, crops, flips and recolors a clip, with the boxes in it.

    Args:
        short_side: Range that the short side, in pixels, is drawn from; None: as it is.
        crop: Pixels per side of a random square crop; None: the whole frame.
        flip: Probability of a horizontal flip.
        color_jitter: With j, factors of brightness, contrast and saturation are drawn from 1 - j to 1 + j, the same for
            the whole clip.
        resize: "torchvision" (bilinear, antialiased when shrinking) or "opencv" (mmaction2's pixels exactly).
    """

    short_side: tuple[int, int] | None = None
    crop: int | None = None
    flip: float = 0.0
    color_jitter: float = 0.0
    resize: str = "torchvision"

    def __call__(
        self,
        frames: UInt8[np.ndarray, "T H W 3"],
        boxes: Float64[np.ndarray, "P 4"],
        generator: torch.Generator | None = None,
    ) -> tuple[UInt8[Tensor, "3 T h w"], Float[Tensor, "P 4"], Bool[Tensor, " P"]]:
        """Transform a clip.

        Returns:
            The clip, the boxes in pixels of it (clipped to it), and which boxes still have an area there.
        """
        if self.short_side is not None:
            side = int(torch.randint(self.short_side[0], self.short_side[1] + 1, (), generator=generator))
            frames = self._resize(frames, side)
        height, width = frames.shape[1:3]
        video = tv_tensors.Video(torch.from_numpy(frames).permute(0, 3, 1, 2))
        rois = tv_tensors.BoundingBoxes(
            torch.from_numpy(pixels_from_normalized(boxes, height, width)).float(),
            format=tv_tensors.BoundingBoxFormat.XYXY,
            canvas_size=(height, width),
        )
        if self.crop is not None:
            video, rois = self._crop(video, rois, self.crop, generator)
        if self.flip > 0 and float(torch.rand((), generator=generator)) < self.flip:
            video, rois = F.horizontal_flip(video), F.horizontal_flip(rois)
        if self.color_jitter > 0:
            video = self._jitter(video, generator)
        rois = F.clamp_bounding_boxes(rois)
        plain = rois.as_subclass(Tensor)
        kept = (plain[:, 2] - plain[:, 0] >= 1) & (plain[:, 3] - plain[:, 1] >= 1)  # a pixel at least
        return video.as_subclass(Tensor).permute(1, 0, 2, 3).contiguous(), plain, kept

    def _resize(self, frames: UInt8[np.ndarray, "T H W 3"], side: int) -> UInt8[np.ndarray, "T h w 3"]:
        # Normalized boxes need no resizing: they become pixels of the resized frames.
        height, width = frames.shape[1:3]
        if self.resize == "opencv":
            scale = side / min(height, width)
            return resize_fixed_point(frames, int(height * scale + 0.5), int(width * scale + 0.5))
        video = F.resize(torch.from_numpy(frames).permute(0, 3, 1, 2), [side], antialias=True)
        resized: UInt8[np.ndarray, "T h w 3"] = video.permute(0, 2, 3, 1).numpy()
        return resized

    def _jitter(self, video: tv_tensors.Video, generator: torch.Generator | None) -> tv_tensors.Video:
        low, high = max(0.0, 1 - self.color_jitter), 1 + self.color_jitter
        factors = (low + (high - low) * torch.rand(3, generator=generator)).tolist()
        for change, factor in zip((F.adjust_brightness, F.adjust_contrast, F.adjust_saturation), factors, strict=True):
            video = change(video, factor)
        return video

    @staticmethod
    def _crop(
        video: tv_tensors.Video, rois: tv_tensors.BoundingBoxes, size: int, generator: torch.Generator | None
    ) -> tuple[tv_tensors.Video, tv_tensors.BoundingBoxes]:
        height, width = video.shape[-2:]
        crop_height, crop_width = min(size, height), min(size, width)
        top = int(torch.randint(0, height - crop_height + 1, (), generator=generator))
        left = int(torch.randint(0, width - crop_width + 1, (), generator=generator))
        area = (top, left, crop_height, crop_width)
        return F.crop(video, *area), F.crop(rois, *area)
