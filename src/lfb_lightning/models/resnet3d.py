"""SlowOnly: a 3D ResNet that strides in space only, with temporal kernels in its last stages.

Source: the slow pathway of SlowFast (Feichtenhofer et al., ICCV 2019) as the LFB configurations use it: the last stage
keeps its resolution (total stride 16), so that RoIs stay sharp. Bottlenecks stride at their 3x3 convolution.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

STAGE_BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
_EXPANSION = 4


class ConvBN(nn.Module):
    """Bias-free convolution and batch norm, with a ReLU unless told otherwise."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: tuple[int, int, int],
        *,
        stride: tuple[int, int, int] = (1, 1, 1),
        relu: bool = True,
    ) -> None:
        super().__init__()
        padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
        self.conv = nn.Conv3d(in_channels, out_channels, kernel, stride=stride, padding=padding, bias=False)
        self.bn = nn.BatchNorm3d(out_channels)
        self.relu = nn.ReLU(inplace=True) if relu else nn.Identity()

    def forward(self, x: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B D T h w"]:
        """Convolve, normalise, rectify."""
        return self.relu(self.bn(self.conv(x)))


class Bottleneck(nn.Module):
    """1x1 -> 3x3 -> 1x1 with a shortcut; `temporal_kernel` (1 or 3) widens the first convolution in time."""

    def __init__(self, in_channels: int, channels: int, *, stride: int, temporal_kernel: int) -> None:
        super().__init__()
        out_channels = channels * _EXPANSION
        self.conv1 = ConvBN(in_channels, channels, (temporal_kernel, 1, 1))
        self.conv2 = ConvBN(channels, channels, (1, 3, 3), stride=(1, stride, stride))
        self.conv3 = ConvBN(channels, out_channels, (1, 1, 1), relu=False)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.downsample = ConvBN(in_channels, out_channels, (1, 1, 1), stride=(1, stride, stride), relu=False)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B D T h w"]:
        """Add the residual to the shortcut, then rectify."""
        return self.relu(self.conv3(self.conv2(self.conv1(x))) + self.downsample(x))


class ResNet3d(nn.Module):
    """A SlowOnly backbone of any size.

    `stage_blocks` lists the bottlenecks per stage (or give `depth` 50 or 101), `spatial_strides` and
    `temporal_kernels` have one entry a stage; `out_channels` and `stride` (pixels per cell) describe the output.
    `freeze_batch_norm` keeps the running statistics and the affine weights as they were loaded.
    """

    def __init__(
        self,
        *,
        depth: int | None = None,
        stage_blocks: Sequence[int] | None = None,
        base_channels: int = 64,
        spatial_strides: Sequence[int] = (1, 2, 2, 1),
        temporal_kernels: Sequence[int] = (1, 1, 3, 3),
        freeze_batch_norm: bool = False,
    ) -> None:
        super().__init__()
        if (depth is None) == (stage_blocks is None):
            raise ValueError("give either depth (50 or 101) or stage_blocks, not both")
        blocks = tuple(stage_blocks) if stage_blocks is not None else STAGE_BLOCKS[depth or 0]
        if not len(blocks) == len(spatial_strides) == len(temporal_kernels):
            raise ValueError(
                f"stage_blocks {blocks}, spatial_strides {tuple(spatial_strides)} and temporal_kernels "
                f"{tuple(temporal_kernels)} need one entry a stage each"
            )
        self.freeze_batch_norm = freeze_batch_norm
        self.stem = ConvBN(3, base_channels, (1, 7, 7), stride=(1, 2, 2))
        self.pool = nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
        self.stages = nn.ModuleList()
        self.stride, channels = 4, base_channels
        for index, (number, stride, kernel) in enumerate(zip(blocks, spatial_strides, temporal_kernels, strict=True)):
            width = base_channels * 2**index
            stage = nn.Sequential()
            for block in range(number):
                stage.append(Bottleneck(channels, width, stride=stride if block == 0 else 1, temporal_kernel=kernel))
                channels = width * _EXPANSION
            self.stages.append(stage)
            self.stride *= stride
        self.out_channels = channels
        self._initialise()
        self.train()  # Lightning trains modules in the mode that it finds them in

    def forward(self, clips: Float[Tensor, "B 3 T H W"]) -> Float[Tensor, "B C T h w"]:
        """Feature map of normalised clips, `stride` times smaller in space, as long in time."""
        x = self.pool(self.stem(clips))
        for stage in self.stages:
            x = stage(x)
        return x

    def train(self, mode: bool = True) -> ResNet3d:
        """Switch the mode; frozen batch norms stay in evaluation mode and out of the gradient."""
        super().train(mode)
        if self.freeze_batch_norm:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm3d):
                    module.eval()
                    module.requires_grad_(False)
        return self

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        for module in self.modules():
            if isinstance(module, Bottleneck):
                assert isinstance(module.conv3.bn.weight, torch.Tensor)
                nn.init.zeros_(module.conv3.bn.weight)  # every block starts as its shortcut
