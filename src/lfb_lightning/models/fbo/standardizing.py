"""Standardizing an FBO's inputs: the window by the bank that it reads, short-term features by the detector's own bank."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

_LEAST_STD = 1e-6  # a channel that varies less is constant
_OWN = ("short_term_mean", "short_term_std")


class StandardizingFBO(nn.Module):
    """The part of an FBO that standardizes features per channel, if `norm_inputs` says so.

    One that reads the detector's own bank has one pair of statistics, for the window and the short-term features: these are
    of one kind. One that reads another bank (`read_another_bank`) has a second pair, for the short-term features.

    Attributes:
        norm_inputs: Whether the window is standardized.
        standardizes_short_term: Whether the short-term features are too: where statistics are there that are as wide.
        absent_in_older: Names in the state dict that checkpoints of earlier versions lack. Their short-term features are
            then standardized as they were: by the statistics of the bank that is read, if that is as wide.
    """

    norm_inputs: bool
    standardizes_short_term: bool
    absent_in_older: tuple[str, ...] = ()

    def _keep_statistics(self, *, channels: int, bank_channels: int, norm_inputs: bool) -> None:
        """Make room for the statistics; until they are set, standardizing changes nothing."""
        self.norm_inputs = norm_inputs
        self.standardizes_short_term = norm_inputs and channels == bank_channels
        self._channels = channels
        self.register_buffer("mean", torch.zeros(bank_channels))
        self.register_buffer("std", torch.ones(bank_channels))

    def read_another_bank(self) -> None:
        """Make room for statistics of the short-term features, since those of the bank that is read are of another kind."""
        if self.norm_inputs:
            self.standardizes_short_term = True
            self.absent_in_older = _OWN
            mean, std = _OWN
            self.register_buffer(mean, torch.zeros(self._channels))
            self.register_buffer(std, torch.ones(self._channels))

    @property
    def needs_statistics(self) -> bool:
        """Whether `set_statistics` is to be called before training."""
        return self.norm_inputs

    @property
    def needs_short_term_statistics(self) -> bool:
        """Whether `set_short_term_statistics` is to be called too, if there is a bank of the detector's own features."""
        return bool(self.absent_in_older)

    def set_statistics(self, mean: Float[Tensor, " C"], std: Float[Tensor, " C"]) -> None:
        """Take the bank's mean and standard deviation per channel; constant channels stay unscaled."""
        self._set(("mean", "std"), mean, std)

    def set_short_term_statistics(self, mean: Float[Tensor, " C"], std: Float[Tensor, " C"]) -> None:
        """Take those of the bank of the detector's own features, where `needs_short_term_statistics`."""
        self._set(_OWN, mean, std)

    def _set(self, names: tuple[str, str], mean: Float[Tensor, " C"], std: Float[Tensor, " C"]) -> None:
        self.get_buffer(names[0]).copy_(mean)
        self.get_buffer(names[1]).copy_(torch.where(std > _LEAST_STD, std, torch.ones_like(std)))

    def _standardize(self, features: Float[Tensor, "... C"]) -> Float[Tensor, "... C"]:
        return (features - self.get_buffer("mean")) / self.get_buffer("std")

    def _standardize_short_term(self, features: Float[Tensor, "R C"]) -> Float[Tensor, "R C"]:
        mean, std = self.absent_in_older or ("mean", "std")
        return (features - self.get_buffer(mean)) / self.get_buffer(std)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Load as every module; an earlier version's checkpoint is given the numbers by which it computes what it did."""
        own = [prefix + name for name in self.absent_in_older]
        if own and not any(name in state_dict for name in own):
            mean, std = (state_dict.get(prefix + name) for name in ("mean", "std"))
            if mean is None or std is None or len(mean) != self._channels:  # of another width: left as they were
                mean, std = torch.zeros(self._channels), torch.ones(self._channels)
            state_dict.update(zip(own, (mean, std), strict=True))
        super()._load_from_state_dict(state_dict, prefix, *rest)
