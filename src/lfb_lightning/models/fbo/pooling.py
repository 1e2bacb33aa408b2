"""Feature bank operators without parameters: none, mean and maximum (Wu et al., section 3.3).

With `mask_padding=False`, as in the paper and in the reference implementations, the empty slots of a window take part as
zero vectors; with True only features that exist do.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lfb_lightning.models.fbo.operator import required
from lfb_lightning.structures import BankWindow


class FBONone(nn.Module):
    """No bank: adds no channels, so that the detector is the baseline without a branch in its code.

    Args:
        channels: Taken because every FBO is built with it; nothing here depends on it.
        bank_channels: The same.
        mask_padding: The same.
    """

    out_channels = 0
    reads_bank = False

    def __init__(self, *, channels: int = 0, bank_channels: int | None = None, mask_padding: bool = False) -> None:
        super().__init__()

    def forward(
        self, short_term: Float[Tensor, "R C"], window: BankWindow | None, clip_of_roi: Int[Tensor, " R"]
    ) -> Float[Tensor, "R 0"]:
        """Return a feature of no channels for each person."""
        return short_term[:, :0]


class _PooledWindow(nn.Module):
    """Pools the window of each clip by `_pool`, and gives the result to each person in the clip."""

    reads_bank = True

    def __init__(self, *, channels: int, bank_channels: int | None = None, mask_padding: bool = False) -> None:
        super().__init__()
        self.out_channels = bank_channels or channels
        self.mask_padding = mask_padding

    def forward(
        self, short_term: Float[Tensor, "R C"], window: BankWindow | None, clip_of_roi: Int[Tensor, " R"]
    ) -> Float[Tensor, "R D"]:
        """Pool the window of each person's clip.

        Args:
            short_term: Features of the R persons.
            window: Windows of the B clips.
            clip_of_roi: The clip that each person is in, 0 to B - 1.
        """
        window = required(window)
        return self._pool(window.padded(short_term.dtype), window.mask)[clip_of_roi]

    def _pool(self, features: Float[Tensor, "B S D"], mask: Bool[Tensor, "B S"]) -> Float[Tensor, "B D"]:
        """Pool the slots of each window; empty ones hold zeros."""
        raise NotImplementedError


class FBOAvg(_PooledWindow):
    """The mean of the window's features.

    Args:
        channels: Width of the short-term features.
        bank_channels: Width of the bank's features; None: `channels`.
        mask_padding: Whether the mean is over the filled slots only (zero where there are none).
    """

    def _pool(self, features: Float[Tensor, "B S D"], mask: Bool[Tensor, "B S"]) -> Float[Tensor, "B D"]:
        slots = mask.sum(dim=1, keepdim=True).clamp(min=1) if self.mask_padding else mask.shape[1]
        return features.sum(dim=1) / slots


class FBOMax(_PooledWindow):
    """The maximum of the window's features, channel by channel.

    Args:
        channels: Width of the short-term features.
        bank_channels: Width of the bank's features; None: `channels`.
        mask_padding: Whether the maximum is over the filled slots only (zero where there are none).
    """

    def _pool(self, features: Float[Tensor, "B S D"], mask: Bool[Tensor, "B S"]) -> Float[Tensor, "B D"]:
        if self.mask_padding:
            features = features.masked_fill(~mask[:, :, None], -torch.inf)
        maximum = features.amax(dim=1)
        return maximum.masked_fill(maximum == -torch.inf, 0.0)
