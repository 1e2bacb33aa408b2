"""SlowFast (Feichtenhofer et al., ICCV 2019): a wide pathway on few frames, a thin one on all, joined by laterals.

The two reference implementations differ in which frames the slow pathway sees, in the laterals and in the last stage; both
forms are here. Each pathway is a `ResNet3d`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lfb_lightning.errors import InputError
from lfb_lightning.models.backbones.resnet3d import ConvBN, ResNet3d, freeze_norms
from lfb_lightning.models.bounds import MOST_STAGES, require_at_most

_FAST_STEM_KERNEL = 5
_CHANNEL_RATIO = 2  # lateral channels per channel of the fast pathway


class SlowFast(nn.Module):
    """SlowFast of any size, with the total stride of 16 that detection uses.

    Its map has the slow pathway's channels first, then the fast one's, at every frame: slow steps are repeated.

    Args:
        depth: Bottleneck layers, 50 or 101; or give `stage_blocks`.
        stage_blocks: Bottlenecks per stage, in both pathways.
        base_channels: Channels of the slow stem.
        fast_base_channels: Channels of the fast stem.
        alpha: Frames of a clip per frame of the slow pathway: 8 for 4x16, 4 for 8x8, with 32 frames.
        slow_frames: Which frames it sees: `nearest`, every `alpha`-th (mmaction2), or `linspace`, from the first to the last
            (PySlowFast: 0, 4, 8, 13, 17, 22, 26, 31 of 32).
        fusion_kernel: Frames that a lateral spans.
        lateral_norm: Whether laterals have a batch norm and a ReLU (PySlowFast) or are a plain convolution (mmaction2).
        spatial_strides: One per stage, after the stem's 4.
        spatial_dilations: One per stage; PySlowFast's last one is 2.
        slow_temporal_kernels: Frames that a block's first convolution spans in the slow pathway: one per stage, or a list
            with one per block.
        fast_temporal_kernels: The same of the fast pathway.
        nonlocal_after: For each stage, the slow blocks after which a non-local block of PySlowFast's kind stands.
        freeze_batch_norm: Whether the loaded statistics and affine weights are kept.
        channels_last: Memory layout. None: in evaluation on CPUs.
        weights: The file that training starts from. It is recorded here and read by `lfb-train` (`model.backbone_weights`).
        gradient_checkpointing: Whether training keeps each stage's input only and computes the stage again in the backward
            pass: less memory for about a third more time, with equal gradients.
    """

    def __init__(
        self,
        *,
        depth: int | None = None,
        stage_blocks: Sequence[int] | None = None,
        base_channels: int = 64,
        fast_base_channels: int = 8,
        alpha: int = 8,
        slow_frames: Literal["nearest", "linspace"] = "nearest",
        fusion_kernel: int = 5,
        lateral_norm: bool = False,
        spatial_strides: Sequence[int] = (1, 2, 2, 1),
        spatial_dilations: Sequence[int] = (1, 1, 1, 1),
        slow_temporal_kernels: Sequence[int | Sequence[int]] = (1, 1, 3, 3),
        fast_temporal_kernels: Sequence[int | Sequence[int]] = (3, 3, 3, 3),
        nonlocal_after: Sequence[Sequence[int]] = ((), (), (), ()),
        freeze_batch_norm: bool = False,
        channels_last: bool | None = None,
        weights: str | None = None,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if min(alpha, fast_base_channels) < 1:
            raise ValueError("alpha and fast_base_channels are expected to be at least 1")
        if slow_frames not in ("nearest", "linspace"):
            raise ValueError(f"slow_frames is {slow_frames!r}, expected 'nearest' or 'linspace'")
        if fusion_kernel % 2 == 0:
            raise ValueError(f"fusion_kernel is {fusion_kernel}, expected an odd number of frames")
        self.alpha, self.slow_frames, self.lateral_norm = alpha, slow_frames, lateral_norm
        self.freeze_batch_norm, self.weights = freeze_batch_norm, weights
        stages = len(slow_temporal_kernels)
        require_at_most(MOST_STAGES, stages=stages)
        widths = [fast_base_channels] + [4 * fast_base_channels * 2**index for index in range(stages - 1)]
        self.fast = ResNet3d(
            depth=depth,
            stage_blocks=stage_blocks,
            base_channels=fast_base_channels,
            stem_temporal_kernel=_FAST_STEM_KERNEL,
            spatial_strides=spatial_strides,
            spatial_dilations=spatial_dilations,
            temporal_kernels=fast_temporal_kernels,
            freeze_batch_norm=freeze_batch_norm,
            channels_last=channels_last,
            gradient_checkpointing=gradient_checkpointing,
        )
        self.slow = ResNet3d(
            depth=depth,
            stage_blocks=stage_blocks,
            base_channels=base_channels,
            spatial_strides=spatial_strides,
            spatial_dilations=spatial_dilations,
            temporal_kernels=slow_temporal_kernels,
            nonlocal_after=nonlocal_after,
            nonlocal_softmax=False,
            nonlocal_pool_frames=2,
            added_channels=[_CHANNEL_RATIO * width for width in widths],
            freeze_batch_norm=freeze_batch_norm,
            channels_last=channels_last,
            gradient_checkpointing=gradient_checkpointing,
        )
        self.laterals = nn.ModuleList(
            _lateral(width, alpha=alpha, kernel=fusion_kernel, norm=lateral_norm) for width in widths
        )
        self.out_channels, self.stride = self.slow.out_channels + self.fast.out_channels, self.slow.stride
        self.train()  # Lightning trains modules in the mode that it finds them in

    def forward(self, clips: Float[Tensor, "B 3 T H W"]) -> Float[Tensor, "B C T h w"]:
        """Compute the feature map, `stride` times smaller in space and as long in time.

        Raises:
            InputError: The number of frames is no multiple of `alpha`.
        """
        # Frame by frame, since a list of indices would be copied to the device, and the host wait for that.
        seen = torch.stack([clips[:, :, index] for index in self._slow_indices(clips.shape[2])], dim=2)
        slow, fast = self.slow.enter(seen), self.fast.enter(clips)
        for index, lateral in enumerate(self.laterals):
            slow = torch.cat([slow, lateral(fast)], dim=1)
            slow, fast = self.slow.run_stage(slow, index), self.fast.run_stage(fast, index)
        # Both pathways at the fast one's frames, so that a mean or a maximum over time is each pathway's own.
        return torch.cat([slow.repeat_interleave(self.alpha, dim=2), fast], dim=1)

    def layer_of(self, parameter_name: str) -> int:
        """Number a parameter's layer for layer decay: 0 for the stems, then one for each stage; a lateral is its source's."""
        part, _, rest = parameter_name.partition(".")
        return int(rest.partition(".")[0]) if part == "laterals" else self.slow.layer_of(rest)

    def describe(self) -> str:
        """Describe the architecture in the line that a bank's manifest keeps; the digests of banks depend on its text."""
        blocks = ", ".join(map(str, self.slow.stage_blocks))
        return (
            f"{type(self).__name__}, stages of {blocks} blocks, alpha {self.alpha}, slow frames by {self.slow_frames}"
        )

    def train(self, mode: bool = True) -> SlowFast:
        """Switch the mode; frozen batch norms stay in evaluation mode and out of the gradient."""
        super().train(mode)
        if self.freeze_batch_norm:
            freeze_norms(self)
        return self

    def _slow_indices(self, frames: int) -> list[int]:
        if frames % self.alpha:
            raise InputError(
                f"clips have {frames} frames (data.num_frames), expected a multiple of backbone.alpha, which is {self.alpha}."
            )
        number = frames // self.alpha
        if self.slow_frames == "nearest" or number == 1:
            return list(range(0, frames, self.alpha))
        return torch.linspace(0, frames - 1, number).long().tolist()


def _lateral(channels: int, *, alpha: int, kernel: int, norm: bool) -> ConvBN:
    lateral = ConvBN(channels, _CHANNEL_RATIO * channels, (kernel, 1, 1), stride=(alpha, 1, 1), norm=norm, relu=norm)
    nn.init.kaiming_normal_(lateral.conv.weight, mode="fan_out", nonlinearity="relu")
    return lateral
