"""What a prediction asks of a trained detector: the torch module has it, and so has an exported program."""

from __future__ import annotations

from typing import Any, Literal, Protocol, TypeVar, overload, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from lfb_lightning.structures import BankWindow

D = TypeVar("D", bound="InferenceDetector")


@runtime_checkable
class InferenceDetector(Protocol):
    """A trained detector that computes features and scores; `ActionDetector` in evaluation mode is one.

    It may also have `reads_identity: bool`: whether its windows are to say which slots show the same person as each region.

    Attributes:
        channels: Width of the short-term features.
        bank_channels: Width of the bank's features.
        num_classes: Score columns.
    """

    channels: int
    bank_channels: int
    num_classes: int

    @property
    def reads_bank(self) -> bool:
        """Whether `classify` needs a window."""
        ...

    @property
    def attends(self) -> bool:
        """Whether `classify` can say where it looked."""
        ...

    @property
    def fbo_name(self) -> str:
        """How results call what reads the bank."""
        ...

    def digest(self) -> str:
        """Give a digest of all that decides logits."""
        ...

    def backbone_digest(self) -> str:
        """Give the digest of the backbone's weights, by which a bank says what made it."""
        ...

    def describe_backbone(self) -> str:
        """Describe the backbone's architecture in a line."""
        ...

    def describe_features(self) -> str:
        """State everything that decides the short-term features of given clips."""
        ...

    def to(self: D, device: torch.device) -> D:
        """Move to where it is to compute; what is given to it lies there."""
        ...

    def short_term_features(
        self, clips: Float[Tensor, "B 3 T H W"], rois: Float[Tensor, "R 5"]
    ) -> Float[Tensor, "R C"]:
        """Compute the regions' own features.

        Args:
            clips: Normalized clips.
            rois: Clip index and box (x1, y1, x2, y2) in pixels of the clip, for each of R regions.
        """
        ...

    @overload
    def classify(
        self,
        short_term: Float[Tensor, "R C"],
        window: BankWindow | None,
        clip_of_roi: Int[Tensor, " R"],
        return_attention: Literal[False] = False,
    ) -> Float[Tensor, "R A"]: ...

    @overload
    def classify(
        self,
        short_term: Float[Tensor, "R C"],
        window: BankWindow | None,
        clip_of_roi: Int[Tensor, " R"],
        return_attention: bool,
    ) -> Any: ...

    def classify(
        self,
        short_term: Float[Tensor, "R C"],
        window: BankWindow | None,
        clip_of_roi: Int[Tensor, " R"],
        return_attention: bool = False,
    ) -> Any:
        """Compute logits `[R, A]`, or `(logits, structures.Attention)` where attention is asked for.

        Args:
            short_term: The regions' short-term features.
            window: One bank window per clip; None where no bank is read.
            clip_of_roi: The clip that each region is in, 0 to B - 1.
            return_attention: Whether to say where it looked, for a detector that `attends`.
        """
        ...
