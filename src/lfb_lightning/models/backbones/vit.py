"""A plain vision transformer on tubes of pixels, as VideoMAE (Tong et al., 2022) and UMT (Li et al., 2023) pretrain it.

Its weights have the names of the original VideoMAE. What it computes was compared with mmaction2's module and the originals.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lfb_lightning.errors import InputError
from lfb_lightning.models.backbones.positions import fill_sinusoids, resized_positions
from lfb_lightning.models.backbones.recomputing import recomputed
from lfb_lightning.models.backbones.transformer import Block, token_norm
from lfb_lightning.models.bounds import MOST_BLOCKS, require_at_most, require_drop_rate, require_multiple


class PatchEmbed(nn.Module):
    """Turns each tube of pixels into a token; rows and columns that fill no patch are left out, as the sources do."""

    def __init__(self, channels: int, *, tube: tuple[int, int, int]) -> None:
        super().__init__()
        self.proj = nn.Conv3d(3, channels, tube, stride=tube)

    def forward(self, clips: Float[Tensor, "B 3 T H W"]) -> Float[Tensor, "B C t h w"]:
        """Turn each tube of `tubelet` frames and `patch_size` x `patch_size` pixels into one token."""
        tokens: Tensor = self.proj(clips)
        return tokens


class VisionTransformer(nn.Module):
    """A vision transformer for clips of any height and width.

    Args:
        embed_dims: Channels of a token, and of the feature map.
        depth: Blocks.
        num_heads: Attention heads.
        mlp_ratio: Hidden channels of a block's MLP per channel.
        num_frames: Frames of a clip. Positions are not interpolated in time: another length is refused.
        tubelet: Frames per time step: 2 for VideoMAE, 1 for UMT.
        image_size: Side of the square frames that the position table was made for; others get it interpolated.
        patch_size: Side of a patch, in pixels.
        learned_positions: Whether the position table is trained, as UMT has it for more than 8 frames; else it is fixed.
        drop_path_rate: Probability with which training leaves a clip's branch out in the last block; it grows linearly from
            0 in the first.
        weights: The file that training starts from. It is recorded here and read by `lfb-train` (`model.backbone_weights`).
        gradient_checkpointing: Whether training keeps each block's input only and computes the block again in the backward
            pass: less memory for about a third more time, with equal gradients. torch.compile then leaves the blocks out.
    """

    def __init__(
        self,
        *,
        embed_dims: int = 768,
        depth: int = 12,
        num_heads: int = 12,
        mlp_ratio: float = 4.0,
        num_frames: int = 16,
        tubelet: int = 2,
        image_size: int = 224,
        patch_size: int = 16,
        learned_positions: bool = False,
        drop_path_rate: float = 0.2,
        weights: str | None = None,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if min(embed_dims, depth, num_heads, num_frames, tubelet, image_size, patch_size) < 1:
            raise ValueError("channels, blocks, heads, frames and sizes are expected to be at least 1")
        require_at_most(MOST_BLOCKS, depth=depth)
        require_multiple("embed_dims", embed_dims, "num_heads", num_heads)
        require_multiple("num_frames", num_frames, "tubelet", tubelet)
        require_multiple("image_size", image_size, "patch_size", patch_size)
        require_drop_rate(drop_path_rate)
        self.num_frames, self.tubelet, self.image_size = num_frames, tubelet, image_size
        self.learned_positions, self.weights = learned_positions, weights
        self.gradient_checkpointing = gradient_checkpointing
        self.out_channels, self.stride, self.steps = embed_dims, patch_size, num_frames // tubelet
        self.head_layer = depth + 1  # the last norm and the head learn at the full rate
        self.patch_embed = PatchEmbed(embed_dims, tube=(tubelet, patch_size, patch_size))
        table = torch.empty(1, self.steps * (image_size // patch_size) ** 2, embed_dims)
        if learned_positions:
            self.pos_embed = nn.Parameter(table)
        else:  # the configuration says all of it: no file needs it
            self.register_buffer("pos_embed", table, persistent=False)
        fill_sinusoids(table)  # after it was taken: `no_larger_than` has looked at its size
        rates = [drop_path_rate * index / max(depth - 1, 1) for index in range(depth)]
        self.blocks = nn.ModuleList(
            Block(embed_dims, num_heads=num_heads, mlp_ratio=mlp_ratio, drop_path_rate=rate) for rate in rates
        )
        self.norm = token_norm(embed_dims)
        self._initialize()
        self.train()  # Lightning trains modules in the mode that it finds them in

    def forward(self, clips: Float[Tensor, "B 3 T H W"]) -> Float[Tensor, "B C t h w"]:
        """Compute the feature map, `patch_size` times smaller in space and `tubelet` times in time.

        Raises:
            InputError: The clips are not of `num_frames` frames, or smaller than a patch.
        """
        frames, height, width = clips.shape[2:]
        if frames != self.num_frames:
            raise InputError(
                f"backbone.num_frames is {self.num_frames}, and clips have {frames} frames (data.num_frames): set both to "
                "what the weights were trained with, for positions are not interpolated in time."
            )
        if min(height, width) < self.stride:
            raise InputError(
                f"clips of {height} x {width} pixels have no whole patch of {self.stride} x {self.stride}; enlarge them."
            )
        patches = self.patch_embed(clips)
        size = (patches.shape[3], patches.shape[4])
        positions = resized_positions(self.pos_embed, steps=self.steps, size=size)
        x = patches.flatten(2).transpose(1, 2) + positions
        recomputes = self.gradient_checkpointing and self.training and torch.is_grad_enabled()
        for block in self.blocks:
            x = recomputed(block, x, module=block) if recomputes else block(x)
        x = self.norm(x)
        return x.transpose(1, 2).unflatten(2, (self.steps, *size))

    def layer_of(self, parameter_name: str) -> int:
        """Number a parameter's layer for layer decay: 0 for patches and positions, then the blocks, the last norm above."""
        part, _, rest = parameter_name.partition(".")
        if part == "blocks":
            return 1 + int(rest.partition(".")[0])
        return self.head_layer if part == "norm" else 0

    def describe(self) -> str:
        """Describe the architecture in the line that a bank's manifest keeps; the digests of banks depend on its text."""
        return (
            f"{type(self).__name__}, {len(self.blocks)} blocks of {self.out_channels} channels, {self.num_frames} frames "
            f"in steps of {self.tubelet}, positions of {self.image_size} x {self.image_size}"
        )

    def _initialize(self) -> None:
        for module in self.blocks.modules():
            if isinstance(module, nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
