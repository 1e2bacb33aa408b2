"""Region features: a feature map's part for each region of interest, the short-term feature of a person or of a clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import roi_align


@runtime_checkable
class RegionFeatures(Protocol):
    """A module that pools a feature map for each region of interest.

    It may also have `widening`, a whole number: its rows are so many times as wide as the map.
    """

    def __call__(
        self, feature_map: Float[Tensor, "B C t h w"], rois: Float[Tensor, "R 5"], *, stride: int
    ) -> Float[Tensor, "R D"]:
        """Pool the map.

        Args:
            feature_map: Maps of B clips.
            rois: Clip index and box (x1, y1, x2, y2) in pixels of the clip, for each of R regions.
            stride: Pixels of the clip per cell of the map.

        Returns:
            One row for each region, as wide as the map, or `widening` times as wide.
        """
        ...


class RoIFeatures(nn.Module):
    """Mean or maximum over time, RoIAlign, maximum over space (Wu et al., section 4.1, with the mean).

    RoIAlign is linear, so averaging over time first is the same and as many times cheaper as there are time steps.

    Args:
        output_size: RoIAlign cells per side.
        sampling_ratio: Samples per side of a cell; 0 chooses adaptively, as the reference implementations do.
        aligned: False is RoIAlign's first form, half a cell off, which the original Caffe2 models were trained with.
        temporal_max: Whether the maximum over time is taken instead of the mean.
        context: Whether a region's row also says what the whole frame holds, as a second half: the map pooled to
            `output_size` cells per side, and the maximum of those.
        enlarge: By how much boxes are enlarged in evaluation mode, as shares of their width and height that both sides have
            half of, before they are cut at the clip's edges; None: not at all. VideoMAE's detector: `[0.1, 0.05]`.
    """

    temporal_max = False  # set on an instance where they are on: the words that features are known by stay as they were
    context = False
    enlarge: tuple[float, float] | None = None

    def __init__(
        self,
        *,
        output_size: int = 8,
        sampling_ratio: int = 0,
        aligned: bool = True,
        temporal_max: bool = False,
        context: bool = False,
        enlarge: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        if output_size < 1:
            raise ValueError(f"output_size is {output_size}, expected at least 1 cell a side")
        if enlarge is not None and not (len(enlarge) == 2 and all(0 <= share <= 10 for share in enlarge)):
            raise ValueError(
                f"enlarge is {enlarge!r:.80}, expected the shares of width and height, each 0 to 10, or null"
            )
        self.output_size = output_size
        self.aligned = aligned
        self.sampling_ratio = sampling_ratio
        if temporal_max:
            self.temporal_max = True
        if context:
            self.context = True
        if enlarge is not None:
            self.enlarge = (float(enlarge[0]), float(enlarge[1]))

    @property
    def widening(self) -> int:
        """How many times as wide as the map a row is."""
        return 2 if self.context else 1

    def forward(
        self, feature_map: Float[Tensor, "B C t h w"], rois: Float[Tensor, "R 5"], *, stride: int
    ) -> Float[Tensor, "R D"]:
        """Pool the map for each region; see `RegionFeatures` for the arguments."""
        if self.enlarge is not None and not self.training:
            height, width = (size * stride for size in feature_map.shape[3:])
            rois = enlarged(rois, self.enlarge, height=height, width=width)
        still = feature_map.amax(dim=2) if self.temporal_max else feature_map.mean(dim=2)
        # fp32 under autocast: half-precision coordinates are off by up to a quarter of a pixel at 512 and more.
        with torch.autocast(still.device.type, enabled=False):
            crops: Tensor = roi_align(
                still.float(),
                rois.float(),
                output_size=self.output_size,
                spatial_scale=1 / stride,
                sampling_ratio=self.sampling_ratio,
                aligned=self.aligned,
            )
        features = crops.amax(dim=(2, 3))
        if not self.context:
            return features
        frames = functional.adaptive_avg_pool2d(still, self.output_size).amax(dim=(2, 3))
        return torch.cat([features, frames.to(features.dtype)[rois[:, 0].long()]], dim=1)


def enlarged(
    rois: Float[Tensor, "R 5"], shares: tuple[float, float], *, height: int, width: int
) -> Float[Tensor, "R 5"]:
    """Enlarge boxes to all sides and cut them at the clip's edges, by the arithmetic of VideoMAE's detection code.

    It counts pixels: a box from x1 to x2 is `x2 - x1 + 1` wide, and the last pixel of a clip is `width - 1`.

    Args:
        rois: Clip index and box in pixels of the clip.
        shares: Of the width and of the height that is added, half of it at either side.
        height: Of the clips, in pixels.
        width: Likewise.
    """
    first, last = rois[:, 1:3].float(), rois[:, 3:5].float()
    # Numbers and not a tensor of them, whose copy to the device the host would wait for.
    more = (
        torch.stack([size * share for size, share in zip((last - first + 1).unbind(1), shares, strict=True)], dim=1) / 2
    )
    x1, y1 = (first - more).unbind(1)
    x2, y2 = (last + more).unbind(1)
    right, bottom = width - 1, height - 1
    sides = (x1.clamp(0, right), y1.clamp(0, bottom), x2.clamp(0, right), y2.clamp(0, bottom))
    return torch.stack([rois[:, 0].float(), *sides], dim=1)


class GlobalMean(nn.Module):
    """Mean over the whole map of each region's clip, for models that look at clips and not at persons.

    The box of a region is not looked at: two regions of one clip have the same feature.
    """

    looks_at_boxes = False

    def forward(
        self, feature_map: Float[Tensor, "B C t h w"], rois: Float[Tensor, "R 5"], *, stride: int
    ) -> Float[Tensor, "R C"]:
        """Average the map of each region's clip; see `RegionFeatures` for the arguments."""
        return feature_map.mean(dim=(2, 3, 4))[rois[:, 0].long()]
