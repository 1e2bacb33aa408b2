"""The non-local block inside a 3D backbone (Wang et al., CVPR 2018), as the LFB paper's backbones use it.

    x + scale * W_o softmax(theta(x) phi(pool x)^T / sqrt(d)) g(pool x) + bias

`group_frames` attends within groups of consecutive frames only (the paper's code does so in its third stage, where all
frames at once would not fit). Its batch norm is folded into the affine scale and bias. PySlowFast's R101 has the form without
softmax: the products are divided by the number of positions instead.
"""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor, nn


class NonLocal3d(nn.Module):
    """Residual self-attention over space and time; starts as the identity (zero output convolution).

    Args:
        channels: Of its input and output.
        group_frames: Consecutive frames that attend to each other; None: all frames of a clip.
        softmax: Whether weights are a softmax over positions; else products divided by the number of positions.
        pool_frames: Frames that are pooled into one, beside two rows and two columns, where they are looked at.
    """

    def __init__(
        self, channels: int, *, group_frames: int | None = None, softmax: bool = True, pool_frames: int = 1
    ) -> None:
        super().__init__()
        inner = channels // 2
        self.group_frames = group_frames
        self.softmax = softmax
        self.theta = nn.Conv3d(channels, inner, 1)
        self.phi = nn.Conv3d(channels, inner, 1)
        self.g = nn.Conv3d(channels, inner, 1)
        self.out = nn.Conv3d(inner, channels, 1)
        self.bn = nn.BatchNorm3d(channels)
        self.pool = nn.MaxPool3d((pool_frames, 2, 2), stride=(pool_frames, 2, 2))
        for convolution in (self.theta, self.phi, self.g):
            nn.init.normal_(convolution.weight, std=0.01)
            nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, x: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B C T H W"]:
        """Add what each position finds in its clip, or in its group of frames."""
        batch, _, frames, height, width = x.shape
        group = self.group_frames or frames
        if frames % group:
            raise ValueError(f"{frames} frames cannot be split into groups of {group}; set group_frames to a divisor")
        grouped = x.unflatten(2, (frames // group, group)).transpose(1, 2).flatten(0, 1)  # [B * groups, C, group, H, W]
        pooled = self.pool(grouped)
        theta, phi, g = self.theta(grouped).flatten(2), self.phi(pooled).flatten(2), self.g(pooled).flatten(2)
        if self.softmax:
            affinity = theta.transpose(1, 2) @ phi / math.sqrt(theta.shape[1])
            weights = affinity.float().softmax(dim=2).to(g.dtype)
        else:
            weights = theta.transpose(1, 2) @ phi / phi.shape[2]
        found = g @ weights.transpose(1, 2)  # [B * groups, C / 2, positions]
        out = grouped + self.bn(self.out(found.unflatten(2, (group, height, width))))
        return out.unflatten(0, (batch, frames // group)).transpose(1, 2).flatten(2, 3)
