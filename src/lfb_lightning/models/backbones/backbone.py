"""What a detector asks of a backbone. Any `nn.Module` that has it works, whoever wrote it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor


@runtime_checkable
class Backbone(Protocol):
    """A module that turns clips into a feature map.

    It may also have `layer_of` (see `LayeredBackbone`), and `describe() -> str`: a line about its architecture that is
    written into every bank made with it. Without one, the name of its class is written.

    A class whose arguments only name what it is (a repository of the hub) may have a static `settled(section, fetch_file)`:
    it is given its section of the configuration and what fetches a file of the hub, and returns the section that says all
    of it, which is what checkpoints hold. One that knows other code bases' weights may have `load_foreign(weights) -> int`.

    And it may have `traced_at_one_size: bool`: where it is there and True, what it does depends on a clip's frames, height
    and width in a way that torch.export cannot follow, and `lfb-export` writes programs for one size.

    Attributes:
        out_channels: Channels of the feature map, and so of the short-term features and of a bank made with it.
        stride: Pixels of the clip per cell of the feature map, in height and in width.
    """

    out_channels: int
    stride: int

    def __call__(self, clips: Float[Tensor, "B 3 T H W"]) -> Float[Tensor, "B C t h w"]:
        """Compute the feature map of normalized clips.

        Args:
            clips: B clips of T frames, normalized by the data set's mean and standard deviation.

        Returns:
            `out_channels` channels, `stride` times smaller in space; the number of time steps `t` is the backbone's own.
        """
        ...


@runtime_checkable
class LayeredBackbone(Backbone, Protocol):
    """A backbone whose layers can learn at different rates (`layer_decay` of the optimizer's parameter groups).

    It may also have `head_layer`, the number of the layer that the head belongs to, where the head learns at the rate of the
    backbone's last norm. Without one, the head is one layer above the backbone.
    """

    def layer_of(self, parameter_name: str) -> int:
        """Number the layer that a parameter belongs to.

        Args:
            parameter_name: Name of the parameter within the backbone, as `named_parameters()` has it.

        Returns:
            0 for the layer next to the clip, one more for each layer above it.
        """
        ...
