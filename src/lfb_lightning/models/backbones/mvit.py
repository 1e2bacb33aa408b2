"""MViTv2 (Li et al., 2022): torchvision's blocks and weights, on clips of any size, with a feature map instead of classes.

Positions are relative tables that each block interpolates to the size of its own input; there are no absolute ones. What it
computes was compared with mmaction2's and PySlowFast's modules at 128 x 192.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from torchvision.models.video import mvit as torchvisions

from lfb_lightning.models.backbones.multiscale_attention import FusedMultiscaleAttention
from lfb_lightning.models.bounds import MOST_BLOCKS, MOST_STAGES, require_at_most, require_drop_rate, require_multiple

_PATCH_STRIDE = 4  # of the patches; each stage but the first halves the map once more
_MOST_PIXELS = 4096  # and frames, of the tables, which torchvision fills before they are counted
_KEY_STRIDE = 8  # of keys and values in the first stage; each further stage halves it


class MViT(nn.Module):
    """A multiscale vision transformer, version 2.

    Args:
        embed_dims: Channels of the first stage; each further stage doubles them.
        num_heads: Attention heads of the first stage; each further stage doubles them.
        stage_blocks: Blocks of each stage: 1, 2, 11, 2 for S, 2, 3, 16, 3 for B.
        num_frames: Frames of the clips that the tables of relative positions were made for; others get them interpolated.
        image_size: Side of those clips.
        drop_path_rate: Probability with which training leaves a clip's branch out in the last block; it grows linearly from
            0 in the first.
        weights: The file that training starts from. It is recorded here and read by `lfb-train` (`model.backbone_weights`).
        gradient_checkpointing: Whether training keeps each block's input only and computes the block again in the backward
            pass.
    """

    traced_at_one_size = True

    def __init__(
        self,
        *,
        embed_dims: int = 96,
        num_heads: int = 1,
        stage_blocks: Sequence[int] = (1, 2, 11, 2),
        num_frames: int = 16,
        image_size: int = 224,
        drop_path_rate: float = 0.2,
        weights: str | None = None,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if min(embed_dims, num_heads, *stage_blocks) < 1 or num_frames < 2 or sum(stage_blocks) < 2:
            raise ValueError(
                "channels, heads and blocks are expected to be at least 1, and frames and all blocks at least 2"
            )
        require_at_most(MOST_STAGES, stages=len(stage_blocks))
        require_at_most(MOST_BLOCKS, blocks=sum(stage_blocks))
        require_at_most(_MOST_PIXELS, image_size=image_size, num_frames=num_frames)
        require_multiple("embed_dims", embed_dims, "num_heads", num_heads)
        require_drop_rate(drop_path_rate)
        self.weights = weights
        self.gradient_checkpointing = gradient_checkpointing
        self.out_channels = embed_dims * 2 ** (len(stage_blocks) - 1)
        self.stride = _PATCH_STRIDE * 2 ** (len(stage_blocks) - 1)
        if image_size % self.stride:
            raise ValueError(f"image_size is {image_size}, expected a multiple of {self.stride}")
        trunk = torchvisions.MViT(
            spatial_size=(image_size, image_size),
            temporal_size=num_frames,
            block_setting=_blocks(embed_dims, num_heads, stage_blocks),
            residual_pool=True,
            residual_with_cls_embed=False,
            rel_pos_embed=True,
            proj_after_attn=True,
            stochastic_depth_prob=drop_path_rate,
            num_classes=1,
        )
        self.conv_proj, self.pos_encoding = trunk.conv_proj, trunk.pos_encoding  # under torchvision's names
        self.blocks, self.norm = trunk.blocks, trunk.norm
        for block in self.blocks:
            block.attn = FusedMultiscaleAttention(block.attn)
        self._described = (
            f"{tuple(stage_blocks)} blocks from {embed_dims} channels, tables of {num_frames} x {image_size}"
        )
        self.train()  # Lightning trains modules in the mode that it finds them in

    def forward(self, clips: Float[Tensor, "B 3 T H W"]) -> Float[Tensor, "B C t h w"]:
        """Compute the feature map, `stride` times smaller in space and twice in time; the class token is left out."""
        patches = self.conv_proj(clips)
        size = tuple(patches.shape[2:])
        x = self.pos_encoding(patches.flatten(2).transpose(1, 2))
        recomputes = self.gradient_checkpointing and self.training and torch.is_grad_enabled()
        for block in self.blocks:
            x, size = checkpoint(block, x, size, use_reentrant=False) if recomputes else block(x, size)
        return self.norm(x)[:, 1:].transpose(1, 2).unflatten(2, tuple(size))

    def layer_of(self, parameter_name: str) -> int:
        """Number a parameter's layer for layer decay: 0 for patches and class token, then the blocks, the last norm above."""
        part, _, rest = parameter_name.partition(".")
        if part == "blocks":
            return 1 + int(rest.partition(".")[0])
        return len(self.blocks) + 1 if part == "norm" else 0

    def describe(self) -> str:
        """Describe the architecture in the line that a bank's manifest keeps; the digests of banks depend on its text."""
        return f"{type(self).__name__}, {self._described}"


def _blocks(embed_dims: int, num_heads: int, stage_blocks: Sequence[int]) -> list[torchvisions.MSBlockConfig]:
    """Set up each block: the first of a stage doubles channels and heads and halves the map, the first stage's aside."""
    blocks: list[torchvisions.MSBlockConfig] = []
    channels = embed_dims
    for stage, count in enumerate(stage_blocks):
        of_keys = max(_KEY_STRIDE // 2**stage, 1)
        for index in range(count):
            of_queries = 2 if stage and not index else 1
            settings = torchvisions.MSBlockConfig(
                num_heads=num_heads * 2**stage,
                input_channels=channels,
                output_channels=embed_dims * 2**stage,
                kernel_q=[3, 3, 3],
                kernel_kv=[3, 3, 3],
                stride_q=[1, of_queries, of_queries],
                stride_kv=[1, of_keys, of_keys],
            )
            blocks.append(settings)
            channels = settings.output_channels
    return blocks
