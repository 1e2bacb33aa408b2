"""A person's short-term feature: mean over time, RoIAlign, max over space (Wu et al., section 4.1).

RoIAlign is linear, so averaging first is the same and T times cheaper.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.ops import roi_align


class RoIFeatures(nn.Module):
    """`output_size` cells a side; `sampling_ratio` 0 samples adaptively, as the peers do.

    `aligned=False` is RoIAlign's first form, half a cell off, which the original Caffe2 models were trained with.
    """

    def __init__(self, *, output_size: int = 8, sampling_ratio: int = 0, aligned: bool = True) -> None:
        super().__init__()
        if output_size < 1:
            raise ValueError(f"output_size is {output_size}, expected at least 1 cell a side")
        self.output_size = output_size
        self.aligned = aligned
        self.sampling_ratio = sampling_ratio

    def forward(
        self, feature_map: Float[Tensor, "B C T h w"], rois: Float[Tensor, "R 5"], *, stride: int
    ) -> Float[Tensor, "R C"]:
        """Features of pixel `rois` (clip index, x1, y1, x2, y2) on a map that is `stride` times smaller."""
        mean = feature_map.mean(dim=2)
        # fp32 under autocast: half-precision coordinates are off by up to a quarter of a pixel at 512 and more.
        with torch.autocast(mean.device.type, enabled=False):
            crops = roi_align(
                mean.float(),
                rois.float(),
                output_size=self.output_size,
                spatial_scale=1 / stride,
                sampling_ratio=self.sampling_ratio,
                aligned=self.aligned,
            )
        return crops.amax(dim=(2, 3))
