"""Feature bank operators: what a person's clip feature makes of the bank's window around it.

An FBO is anything with `out_channels` that maps `(short_term [R,C], window, clip_of_roi [R])` to `[R, out_channels]`; the
detector concatenates the result to the short-term feature. `mask_padding: false` is the papers' and the peers'
behaviour, in which empty slots take part as zero vectors; with `true` only features that exist do.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lfb_lightning.structures import BankWindow


@runtime_checkable
class FBO(Protocol):
    """The interface of a feature bank operator."""

    out_channels: int

    def __call__(
        self, short_term: Float[Tensor, "R C"], window: BankWindow | None, clip_of_roi: Int[Tensor, " R"]
    ) -> Float[Tensor, "R D"]:
        """Read the window of each person's clip."""
        ...


class FBONone(nn.Module):
    """No bank: zero channels, so that the detector is the baseline without a branch in its code."""

    out_channels = 0

    def __init__(self, *, channels: int = 0, mask_padding: bool = False) -> None:
        super().__init__()  # what every FBO is made with; nothing here depends on it

    def forward(
        self, short_term: Float[Tensor, "R C"], window: BankWindow | None, clip_of_roi: Int[Tensor, " R"]
    ) -> Float[Tensor, "R 0"]:
        """Nothing."""
        return short_term[:, :0]


class FBOAvg(nn.Module):
    """Mean of the window's features (Wu et al., section 3.3), without parameters."""

    def __init__(self, *, channels: int, mask_padding: bool = False) -> None:
        super().__init__()
        self.out_channels = channels
        self.mask_padding = mask_padding

    def forward(
        self, short_term: Float[Tensor, "R C"], window: BankWindow | None, clip_of_roi: Int[Tensor, " R"]
    ) -> Float[Tensor, "R C"]:
        """Mean over all slots, or over the filled ones (zero where there are none) with `mask_padding`."""
        window = required(window)
        total = window.padded(short_term.dtype).sum(dim=1)  # [B, C]; empty slots add zero
        if self.mask_padding:
            slots = window.mask.sum(dim=1, keepdim=True).clamp(min=1)
        else:
            slots = torch.full_like(window.mask[:, :1], window.mask.shape[1], dtype=torch.long)
        return (total / slots)[clip_of_roi]


class FBOMax(nn.Module):
    """Channel-wise maximum of the window's features (Wu et al., section 3.3), without parameters."""

    def __init__(self, *, channels: int, mask_padding: bool = False) -> None:
        super().__init__()
        self.out_channels = channels
        self.mask_padding = mask_padding

    def forward(
        self, short_term: Float[Tensor, "R C"], window: BankWindow | None, clip_of_roi: Int[Tensor, " R"]
    ) -> Float[Tensor, "R C"]:
        """Maximum over all slots, or over the filled ones (zero where there are none) with `mask_padding`."""
        window = required(window)
        features = window.padded(short_term.dtype)
        if self.mask_padding:
            features = features.masked_fill(~window.mask[:, :, None], -torch.inf)
        maximum = features.amax(dim=1)  # [B, C]
        return maximum.masked_fill(maximum == -torch.inf, 0.0)[clip_of_roi]


def required(window: BankWindow | None) -> BankWindow:
    """The window, for an operator that cannot do without; raises ValueError for None."""
    if window is None:
        raise ValueError("this FBO reads the feature bank, but no window was given; only FBONone does without one")
    return window
