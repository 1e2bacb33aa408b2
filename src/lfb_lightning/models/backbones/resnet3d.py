"""A 3D ResNet that strides in space only: SlowOnly, and with wider temporal kernels and non-local blocks I3D-NL.

Sources: the slow pathway of SlowFast (Feichtenhofer et al., ICCV 2019) as the LFB configurations use it: the last stage
keeps its resolution (total stride 16), so that RoIs stay sharp; and the LFB paper's own I3D (temporal kernels in every
other block, time halved after the first stage, the last stage dilated). Bottlenecks stride at their 3x3 convolution.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lfb_lightning.models.backbones.nonlocal3d import NonLocal3d
from lfb_lightning.models.backbones.recomputing import recomputed

STAGE_BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
_EXPANSION = 4


class ConvBN(nn.Module):
    """Bias-free convolution, with batch norm and ReLU unless told otherwise."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: tuple[int, int, int],
        *,
        stride: tuple[int, int, int] = (1, 1, 1),
        dilation: int = 1,
        norm: bool = True,
        relu: bool = True,
    ) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2 * dilation, kernel[2] // 2 * dilation)
        self.conv = nn.Conv3d(
            in_channels,
            out_channels,
            kernel,
            stride=stride,
            padding=padding,
            dilation=(1, dilation, dilation),
            bias=False,
        )
        self.bn = nn.BatchNorm3d(out_channels) if norm else nn.Identity()
        self.relu = nn.ReLU(inplace=True) if relu else nn.Identity()

    def forward(self, x: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B D t h w"]:
        """Convolve, normalize, rectify."""
        return self.relu(self.bn(self.conv(x)))


class Bottleneck(nn.Module):
    """1x1 -> 3x3 -> 1x1 with a shortcut; `temporal_kernel` (1 or 3) widens the first convolution in time."""

    def __init__(
        self, in_channels: int, channels: int, *, stride: int, temporal_kernel: int, dilation: int = 1
    ) -> None:
        super().__init__()
        if temporal_kernel % 2 == 0:
            raise ValueError(f"a temporal kernel is {temporal_kernel}, expected an odd number of frames")
        out_channels = channels * _EXPANSION
        self.conv1 = ConvBN(in_channels, channels, (temporal_kernel, 1, 1))
        self.conv2 = ConvBN(channels, channels, (1, 3, 3), stride=(1, stride, stride), dilation=dilation)
        self.conv3 = ConvBN(channels, out_channels, (1, 1, 1), relu=False)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.downsample = ConvBN(in_channels, out_channels, (1, 1, 1), stride=(1, stride, stride), relu=False)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B D T h w"]:
        """Add the residual to the shortcut, then rectify."""
        return self.relu(self.conv3(self.conv2(self.conv1(x))) + self.downsample(x))


class ResNet3d(nn.Module):
    """A 3D ResNet of any size.

    Args:
        depth: Bottleneck layers, 50 or 101; or give `stage_blocks`.
        stage_blocks: Bottlenecks per stage.
        base_channels: Channels of the stem; stage i has 4 * base_channels * 2**i.
        stem_temporal_kernel: Frames that the first convolution spans.
        spatial_strides: One per stage, after the stem's 4.
        spatial_dilations: One per stage.
        temporal_kernels: Frames that a block's first convolution spans: one per stage, or a list with one per block.
        nonlocal_after: For each stage, the blocks after which a non-local block stands.
        nonlocal_group_frames: Frames that attend to each other in the first stage with non-local blocks; None: all.
        nonlocal_softmax: Whether non-local weights are a softmax; else products divided by the number of positions.
        nonlocal_pool_frames: Frames that are pooled into one before a non-local block looks at them.
        added_channels: Channels that each stage reads beside what the one before gives: SlowFast's laterals. None: no others.
        halve_time: Whether time is max-pooled by two after the first stage.
        freeze_batch_norm: Whether the loaded statistics and affine weights are kept.
        channels_last: Memory layout. None: in evaluation on CPUs, where it was measured to be faster; training keeps the
            reference implementations' order of sums.
        weights: The file that training starts from. It is recorded here and read by `lfb-train`
            (`model.backbone_weights`).
        gradient_checkpointing: Whether training keeps each stage's input only and computes the stage again in the backward
            pass: less memory for about a third more time, with equal gradients. torch.compile then leaves the stages out.
    """

    def __init__(
        self,
        *,
        depth: int | None = None,
        stage_blocks: Sequence[int] | None = None,
        base_channels: int = 64,
        stem_temporal_kernel: int = 1,
        spatial_strides: Sequence[int] = (1, 2, 2, 1),
        spatial_dilations: Sequence[int] = (1, 1, 1, 1),
        temporal_kernels: Sequence[int | Sequence[int]] = (1, 1, 3, 3),
        nonlocal_after: Sequence[Sequence[int]] = ((), (), (), ()),
        nonlocal_group_frames: int | None = None,
        nonlocal_softmax: bool = True,
        nonlocal_pool_frames: int = 1,
        added_channels: Sequence[int] | None = None,
        halve_time: bool = False,
        freeze_batch_norm: bool = False,
        channels_last: bool | None = None,
        weights: str | None = None,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if (depth is None) == (stage_blocks is None):
            raise ValueError("give either depth (50 or 101) or stage_blocks, not both")
        if depth is not None and depth not in STAGE_BLOCKS:
            raise ValueError(f"depth is {depth}, expected 50 or 101; stage_blocks describes others")
        blocks = tuple(stage_blocks) if stage_blocks is not None else STAGE_BLOCKS[depth or 0]
        _require_entries(len(blocks), spatial_strides=spatial_strides, temporal_kernels=temporal_kernels)
        if min((base_channels, *blocks, *spatial_strides, *spatial_dilations), default=0) < 1:
            raise ValueError("base_channels, blocks, strides and dilations are expected to be at least 1")
        self.stage_blocks = blocks
        self.freeze_batch_norm = freeze_batch_norm
        self.channels_last = channels_last
        self.weights = weights
        self.gradient_checkpointing = gradient_checkpointing
        self.stem = ConvBN(3, base_channels, (stem_temporal_kernel, 7, 7), stride=(1, 2, 2))
        self.pool = nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
        self.time_pool = nn.MaxPool3d((2, 1, 1), stride=(2, 1, 1)) if halve_time else nn.Identity()
        self.stages = nn.ModuleList()
        self.nonlocals = nn.ModuleDict()
        self.stride, channels, group_frames = 4, base_channels, nonlocal_group_frames
        added = added_channels or (0,) * len(blocks)
        for index, number in enumerate(blocks):
            kernels = temporal_kernels[index]
            channels += added[index]
            stage = nn.Sequential()
            for block in range(number):
                stage.append(
                    Bottleneck(
                        channels,
                        base_channels * 2**index,
                        stride=spatial_strides[index] if block == 0 else 1,
                        temporal_kernel=kernels if isinstance(kernels, int) else kernels[block],
                        dilation=spatial_dilations[index],
                    )
                )
                channels = base_channels * 2**index * _EXPANSION
                if block in nonlocal_after[index]:
                    self.nonlocals[f"{index}_{block}"] = NonLocal3d(
                        channels, group_frames=group_frames, softmax=nonlocal_softmax, pool_frames=nonlocal_pool_frames
                    )
            if len(nonlocal_after[index]):
                group_frames = None
            self.stages.append(stage)
            self.stride *= spatial_strides[index]
        self.out_channels = channels
        self._initialize()
        self.train()  # Lightning trains modules in the mode that it finds them in

    def forward(self, clips: Float[Tensor, "B 3 T H W"]) -> Float[Tensor, "B C t h w"]:
        """Compute the feature map, `stride` times smaller in space and as long in time (half with `halve_time`)."""
        x = self.enter(clips)
        for index in range(len(self.stages)):
            x = self.run_stage(x, index)
        return x

    def enter(self, clips: Float[Tensor, "B 3 T H W"]) -> Float[Tensor, "B C T h w"]:
        """Compute what the first stage reads: the stem and its pooling."""
        on_cpu = clips.device.type == "cpu" and not self.training
        if self.channels_last or (self.channels_last is None and on_cpu):
            clips = clips.contiguous(memory_format=torch.channels_last_3d)
        x: Tensor = self.pool(self.stem(clips))
        return x

    def run_stage(self, x: Float[Tensor, "B C T H W"], index: int) -> Float[Tensor, "B D t h w"]:
        """Run one stage on what the one before has given, and on `added_channels` behind it."""
        recomputes = self.gradient_checkpointing and self.training and torch.is_grad_enabled()
        x = recomputed(self._stage, x, index, module=self) if recomputes else self._stage(x, index)
        return self.time_pool(x) if index == 0 else x

    def _stage(self, x: Float[Tensor, "B C T H W"], index: int) -> Float[Tensor, "B D T h w"]:
        stage = self.stages[index]
        assert isinstance(stage, nn.Sequential)
        for block, bottleneck in enumerate(stage):
            x = bottleneck(x)
            if (name := f"{index}_{block}") in self.nonlocals:
                x = self.nonlocals[name](x)
        return x

    def layer_of(self, parameter_name: str) -> int:
        """Number a parameter's layer for layer decay: 0 for the stem, then one for each stage."""
        part, _, rest = parameter_name.partition(".")
        return 0 if part == "stem" else 1 + int(re.split(r"[._]", rest)[0])  # stages.2.0..., nonlocals.1_3...

    def describe(self) -> str:
        """Describe the architecture in the line that a bank's manifest keeps; the digests of banks depend on its text."""
        return f"{type(self).__name__}, stages of {', '.join(map(str, self.stage_blocks))} blocks"

    def train(self, mode: bool = True) -> ResNet3d:
        """Switch the mode; frozen batch norms stay in evaluation mode and out of the gradient."""
        super().train(mode)
        if self.freeze_batch_norm:
            freeze_norms(self)
        return self

    def _initialize(self) -> None:
        for module in self.modules():
            if isinstance(module, ConvBN):
                module = module.conv
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        for module in self.modules():
            if isinstance(module, Bottleneck):
                assert isinstance(module.conv3.bn.weight, torch.Tensor)
                nn.init.zeros_(module.conv3.bn.weight)  # every block starts as its shortcut


def freeze_norms(backbone: nn.Module) -> None:
    """Put all batch norms of a backbone in evaluation mode and out of the gradient."""
    for module in backbone.modules():
        if isinstance(module, nn.BatchNorm3d | nn.SyncBatchNorm):
            module.eval()
            module.requires_grad_(False)


def _require_entries(number: int, **lists: Sequence[object]) -> None:
    for name, entries in lists.items():
        if len(entries) != number:
            raise ValueError(f"{name} has {len(entries)} entries, expected one for each of {number} stages")
