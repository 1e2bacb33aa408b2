"""Video Swin (Liu et al., 2022): torchvision's blocks and weights, with a feature map instead of classes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint_sequential
from torchvision.models.video.swin_transformer import SwinTransformer3d

from lfb_lightning.models.bounds import MOST_BLOCKS, MOST_STAGES, require_at_most, require_drop_rate, require_multiple

_MOST_CELLS = 2048  # of a window: torchvision makes a table of their pairs; published ones have up to 1152


class Swin3d(nn.Module):
    """A Swin transformer for clips of any size; windows that the map does not fill are padded, as torchvision does.

    Args:
        embed_dims: Channels of the first stage; each further stage doubles them.
        depths: Blocks of each stage.
        num_heads: Attention heads of each stage.
        window_size: Time steps, rows and columns that attend to each other.
        drop_path_rate: Probability with which training leaves a clip's branch out in the last block; it grows linearly from
            0 in the first.
        weights: The file that training starts from. It is recorded here and read by `lfb-train` (`model.backbone_weights`).
        gradient_checkpointing: Whether training keeps each stage's input only and computes the stage again in the backward
            pass.
    """

    traced_at_one_size = True

    def __init__(
        self,
        *,
        embed_dims: int = 96,
        depths: Sequence[int] = (2, 2, 6, 2),
        num_heads: Sequence[int] = (3, 6, 12, 24),
        window_size: Sequence[int] = (8, 7, 7),
        drop_path_rate: float = 0.2,
        weights: str | None = None,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if len(depths) != len(num_heads) or min(embed_dims, *depths, *num_heads, *window_size) < 1 or sum(depths) < 2:
            raise ValueError(f"depths are {tuple(depths)} and num_heads {tuple(num_heads)}, expected as many, all >= 1")
        if len(window_size) != 3:
            raise ValueError(f"window_size is {tuple(window_size)}, expected time steps, rows and columns")
        require_at_most(MOST_STAGES, stages=len(depths))
        require_at_most(MOST_BLOCKS, blocks=sum(depths))
        require_at_most(_MOST_CELLS, window_size=math.prod(window_size))
        for stage, heads in enumerate(num_heads):
            require_multiple(f"channels of stage {stage}", embed_dims * 2**stage, "num_heads", heads)
        require_drop_rate(drop_path_rate)
        self.weights = weights
        self.gradient_checkpointing = gradient_checkpointing
        trunk = SwinTransformer3d(
            patch_size=[2, 4, 4],
            embed_dim=embed_dims,
            depths=list(depths),
            num_heads=list(num_heads),
            window_size=list(window_size),
            stochastic_depth_prob=drop_path_rate,
            num_classes=1,
        )
        self.out_channels, self.stride = trunk.num_features, 4 * 2 ** (len(depths) - 1)
        self.patch_embed, self.features, self.norm = (
            trunk.patch_embed,
            trunk.features,
            trunk.norm,
        )  # torchvision's names
        self._described = f"{tuple(depths)} blocks from {embed_dims} channels, windows of {tuple(window_size)}"
        self.train()  # Lightning trains modules in the mode that it finds them in

    def forward(self, clips: Float[Tensor, "B 3 T H W"]) -> Float[Tensor, "B C t h w"]:
        """Compute the feature map, `stride` times smaller in space and twice in time, all rounded up."""
        x = self.patch_embed(clips)
        if self.gradient_checkpointing and self.training and torch.is_grad_enabled():
            x = checkpoint_sequential(self.features, len(self.features), x, use_reentrant=False)
        else:
            x = self.features(x)
        return self.norm(x).permute(0, 4, 1, 2, 3)

    def layer_of(self, parameter_name: str) -> int:
        """Number a parameter's layer for layer decay: 0 for patches, then the blocks; what merges patches is in the next."""
        part, _, rest = parameter_name.partition(".")
        depths = [len(stage) if isinstance(stage, nn.Sequential) else 0 for stage in self.features]
        if part != "features":
            return sum(depths) + 1 if part == "norm" else 0
        place, _, rest = rest.partition(".")
        before = sum(depths[: int(place)])
        return before + 1 + (int(rest.partition(".")[0]) if depths[int(place)] else 0)

    def describe(self) -> str:
        """Describe the architecture in the line that a bank's manifest keeps; the digests of banks depend on its text."""
        return f"{type(self).__name__}, {self._described}"
