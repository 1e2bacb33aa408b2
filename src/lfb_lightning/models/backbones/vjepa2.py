"""V-JEPA 2 (Assran et al., 2025): transformers' encoder with rotary positions that are right for rectangular clips.

transformers numbers tokens as if every clip were square and of one size, without a word; here each token gets the position
that the original code gives it. It is a backbone of features that are good without training: freeze it
(`model.frozen_backbone=true`) and let the bank hold them.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lfb_lightning.errors import InputError
from lfb_lightning.models.bounds import MOST_BLOCKS, require_at_most, require_drop_rate

_GRID = (
    256  # cells of the square that positions are numbered on: 4096 pixels of patches of 16; its size changes nothing
)


class VJEPA2(nn.Module):
    """The encoder of V-JEPA 2, without its predictor.

    Args:
        embed_dims: Channels of a token, and of the feature map.
        depth: Blocks.
        num_heads: Attention heads.
        mlp_ratio: Hidden channels of a block's MLP per channel.
        tubelet: Frames per time step.
        patch_size: Side of a patch, in pixels.
        drop_path_rate: Probability with which training leaves a clip's branch out in the last block.
        weights: The file that training starts from. It is recorded here and read by `lfb-train` (`model.backbone_weights`).
        gradient_checkpointing: Whether training keeps each block's input only and computes the block again in the backward
            pass.

    Raises:
        InputError: transformers is not installed.
    """

    def __init__(
        self,
        *,
        embed_dims: int = 1024,
        depth: int = 24,
        num_heads: int = 16,
        mlp_ratio: float = 4.0,
        tubelet: int = 2,
        patch_size: int = 16,
        drop_path_rate: float = 0.0,
        weights: str | None = None,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        require_drop_rate(drop_path_rate)
        require_at_most(MOST_BLOCKS, depth=depth)
        try:
            from transformers import VJEPA2Config
            from transformers.models.vjepa2.modeling_vjepa2 import VJEPA2Encoder
        except ImportError as error:
            raise InputError(
                "backbone: V-JEPA 2 is transformers' (4.53 or newer), which is not installed: "
                "pip install 'lfb-lightning[huggingface]'."
            ) from error
        self.weights = weights
        self.gradient_checkpointing = gradient_checkpointing
        self.out_channels, self.stride, self.tubelet = embed_dims, patch_size, tubelet
        config = VJEPA2Config(
            hidden_size=embed_dims,
            num_hidden_layers=depth,
            num_attention_heads=num_heads,
            mlp_ratio=mlp_ratio,
            tubelet_size=tubelet,
            patch_size=patch_size,
            crop_size=_GRID * patch_size,
            drop_path_rate=drop_path_rate,
        )
        config._attn_implementation = "sdpa"
        self.encoder = VJEPA2Encoder(config)  # its weights are called as in transformers' files
        self._described = (
            f"{depth} blocks of {embed_dims} channels, {num_heads} heads, tubes of {tubelet} x {patch_size}"
        )
        self.train()  # Lightning trains modules in the mode that it finds them in

    def forward(self, clips: Float[Tensor, "B 3 T H W"]) -> Float[Tensor, "B C t h w"]:
        """Compute the feature map, `patch_size` times smaller in space and `tubelet` times in time, rounded down.

        Raises:
            InputError: A clip is smaller than a tube, or larger than 256 patches.
        """
        size = tuple(clips.shape[i + 2] // side for i, side in enumerate((self.tubelet, self.stride, self.stride)))
        if min(size) < 1 or max(size[1:]) > _GRID:
            raise InputError(
                f"clips of {tuple(clips.shape[2:])} frames and pixels: V-JEPA 2 takes whole tubes of {self.tubelet} frames "
                f"and {self.stride} x {self.stride} pixels, at most {_GRID} of them in a row."
            )
        x = self.encoder.embeddings(clips.transpose(1, 2))
        places = _places(size, x.device)
        recomputes = self.gradient_checkpointing and self.training and torch.is_grad_enabled()
        for layer in self.encoder.layer:
            x = (checkpoint(layer, x, places, use_reentrant=False) if recomputes else layer(x, places))[0]
        return self.encoder.layernorm(x).transpose(1, 2).unflatten(2, size)

    def layer_of(self, parameter_name: str) -> int:
        """Number a parameter's layer for layer decay: 0 for patches, then the blocks, the last norm above."""
        _, part, rest = parameter_name.split(".", 2)
        if part == "layer":
            return 1 + int(rest.partition(".")[0])
        return len(self.encoder.layer) + 1 if part == "layernorm" else 0

    def describe(self) -> str:
        """Describe the architecture in the line that a bank's manifest keeps; the digests of banks depend on its text."""
        return f"{type(self).__name__}, {self._described}"


def _places(size: tuple[int, ...], device: torch.device) -> Int[Tensor, "1 N"]:
    """Number the tokens on a grid of `_GRID` x `_GRID` per time step, in the tokens' order."""
    steps, rows, columns = (torch.arange(count, device=device) for count in size)
    place = steps[:, None, None] * _GRID * _GRID + rows[None, :, None] * _GRID + columns
    return place.flatten()[None]
