"""Standardizing an FBO's inputs by the statistics of the bank that it is trained on."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

_LEAST_STD = 1e-6  # a channel that varies less is constant


class StandardizingFBO(nn.Module):
    """The part of an FBO that standardizes features per channel, if `norm_inputs` says so.

    Attributes:
        norm_inputs: Whether the window is standardized.
        standardizes_short_term: Whether the short-term features are too: where they are as wide as the bank's.
    """

    norm_inputs: bool
    standardizes_short_term: bool

    def _keep_statistics(self, *, channels: int, bank_channels: int, norm_inputs: bool) -> None:
        """Make room for the statistics; until they are set, standardizing changes nothing."""
        self.norm_inputs = norm_inputs
        self.standardizes_short_term = norm_inputs and channels == bank_channels
        self.register_buffer("mean", torch.zeros(bank_channels))
        self.register_buffer("std", torch.ones(bank_channels))

    @property
    def needs_statistics(self) -> bool:
        """Whether `set_statistics` is to be called before training."""
        return self.norm_inputs

    def set_statistics(self, mean: Float[Tensor, " C"], std: Float[Tensor, " C"]) -> None:
        """Take the bank's mean and standard deviation per channel; constant channels stay unscaled."""
        self.get_buffer("mean").copy_(mean)
        self.get_buffer("std").copy_(torch.where(std > _LEAST_STD, std, torch.ones_like(std)))

    def _standardize(self, features: Float[Tensor, "... C"]) -> Float[Tensor, "... C"]:
        return (features - self.get_buffer("mean")) / self.get_buffer("std")
