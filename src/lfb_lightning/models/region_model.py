"""What fills a bank: a module that gives a feature for every region of a clip."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn


@runtime_checkable
class RegionModel(Protocol):
    """A `torch.nn.Module` whose features a bank can hold: an `ActionDetector`, or a detector of objects."""

    @property
    def channels(self) -> int:
        """Width of a feature."""
        ...

    @property
    def backbone(self) -> nn.Module:
        """What makes the features, by whose weights a bank is known."""
        ...

    def describe_backbone(self) -> str:
        """Describe the architecture in a line."""
        ...

    def short_term_features(
        self, clips: Float[Tensor, "B 3 T H W"], rois: Float[Tensor, "R 5"]
    ) -> Float[Tensor, "R C"]:
        """Compute the regions' features.

        Args:
            clips: Normalized clips.
            rois: Clip index and box (x1, y1, x2, y2) in pixels of the clip, for each of R regions.
        """
        ...
