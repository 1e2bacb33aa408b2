"""A feature bank operator: anything that reads the window around each clip, for each region."""

import torch
from torch import nn

from lfb_lightning.structures import BankWindow


class GatedMean(nn.Module):
    """The mean of the window's features, each channel opened or shut by the short-term feature.

    Args:
        channels: Width of the short-term features; the detector gives it.
    """

    reads_bank = True

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.out_channels = channels
        self.gate = nn.Linear(channels, channels)

    def forward(self, short_term: torch.Tensor, window: BankWindow, clip_of_roi: torch.Tensor) -> torch.Tensor:
        """Short-term [R, C] and a window per clip to [R, C]; an empty window gives zeros."""
        filled = window.mask.sum(dim=1, keepdim=True).clamp(min=1)
        mean = window.padded(short_term.dtype).sum(dim=1) / filled  # [B, C]; empty slots are zero
        return torch.sigmoid(self.gate(short_term)) * mean[clip_of_roi]
