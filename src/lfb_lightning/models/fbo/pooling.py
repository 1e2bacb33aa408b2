"""Feature bank operators without parameters: none, mean and maximum (Wu et al., section 3.3).

With `mask_padding=False`, as in the paper and in the reference implementations, the empty slots of a window take part as
zero vectors; with True only features that exist do.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
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
        """Return no features."""
        return short_term[:, :0]


class FBOAvg(nn.Module):
    """The mean of the window's features.

    Args:
        channels: Width of the short-term features.
        bank_channels: Width of the bank's features; None: `channels`.
        mask_padding: Whether the mean is over the filled slots only (zero where there are none).
    """

    reads_bank = True

    def __init__(self, *, channels: int, bank_channels: int | None = None, mask_padding: bool = False) -> None:
        super().__init__()
        self.out_channels = bank_channels or channels
        self.mask_padding = mask_padding

    def forward(
        self, short_term: Float[Tensor, "R C"], window: BankWindow | None, clip_of_roi: Int[Tensor, " R"]
    ) -> Float[Tensor, "R D"]:
        """Average the window of each person's clip.

        Args:
            short_term: Features of the R persons.
            window: Windows of the B clips.
            clip_of_roi: The clip that each person is in, 0 to B - 1.
        """
        window = required(window)
        total = window.padded(short_term.dtype).sum(dim=1)  # [B, D]; empty slots add zero
        if self.mask_padding:
            slots = window.mask.sum(dim=1, keepdim=True).clamp(min=1)
        else:
            slots = torch.full_like(window.mask[:, :1], window.mask.shape[1], dtype=torch.long)
        return (total / slots)[clip_of_roi]


class FBOMax(nn.Module):
    """The maximum of the window's features, channel by channel.

    Args:
        channels: Width of the short-term features.
        bank_channels: Width of the bank's features; None: `channels`.
        mask_padding: Whether the maximum is over the filled slots only (zero where there are none).
    """

    reads_bank = True

    def __init__(self, *, channels: int, bank_channels: int | None = None, mask_padding: bool = False) -> None:
        super().__init__()
        self.out_channels = bank_channels or channels
        self.mask_padding = mask_padding

    def forward(
        self, short_term: Float[Tensor, "R C"], window: BankWindow | None, clip_of_roi: Int[Tensor, " R"]
    ) -> Float[Tensor, "R D"]:
        """Take the maximum of the window of each person's clip.

        Args:
            short_term: Features of the R persons.
            window: Windows of the B clips.
            clip_of_roi: The clip that each person is in, 0 to B - 1.
        """
        window = required(window)
        features = window.padded(short_term.dtype)
        if self.mask_padding:
            features = features.masked_fill(~window.mask[:, :, None], -torch.inf)
        maximum = features.amax(dim=1)  # [B, D]
        return maximum.masked_fill(maximum == -torch.inf, 0.0)[clip_of_roi]
