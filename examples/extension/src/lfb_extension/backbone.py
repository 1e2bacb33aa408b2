"""A backbone: anything that turns clips into a feature map and says how wide and how coarse it is."""

import torch
from torch import nn


class FrameCNN(nn.Module):
    """Two convolutions over each frame; time steps are kept.

    Args:
        channels: Channels of the feature map.
    """

    def __init__(self, *, channels: int = 32) -> None:
        super().__init__()
        self.out_channels = channels
        self.stride = 8
        self.layers = nn.Sequential(
            nn.Conv3d(3, channels // 2, (1, 5, 5), stride=(1, 4, 4), padding=(0, 2, 2)),
            nn.ReLU(),
            nn.Conv3d(channels // 2, channels, (1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)),
            nn.ReLU(),
        )

    def forward(self, clips: torch.Tensor) -> torch.Tensor:
        """Clips [B, 3, T, H, W] to maps [B, channels, T, H / 8, W / 8]."""
        return self.layers(clips)
