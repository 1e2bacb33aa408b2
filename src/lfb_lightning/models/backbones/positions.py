"""Position tables of video transformers: sinusoids, and their interpolation to another clip size."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


@torch.no_grad()
def fill_sinusoids(table: Float[Tensor, "1 N C"]) -> Float[Tensor, "1 N C"]:
    """Fill a table with VideoMAE's sinusoids: sines in even channels, cosines in odd ones, angles in float64.

    Args:
        table: One row for each position, numbered in the order time, height, width. It is changed in place.

    Returns:
        The table.
    """
    _, positions, channels = table.shape
    exponent = 2 * (torch.arange(channels, dtype=torch.float64) // 2) / channels
    angles = torch.arange(positions, dtype=torch.float64)[:, None] / 10000**exponent
    angles[:, 0::2] = angles[:, 0::2].sin()
    angles[:, 1::2] = angles[:, 1::2].cos()
    return table.copy_(angles[None])


def resized_positions(table: Float[Tensor, "1 N C"], *, steps: int, size: tuple[int, int]) -> Float[Tensor, "1 M C"]:
    """Resize a table of square grids to another height and width: bicubic per time step, without antialiasing.

    Args:
        table: One row for each position of `steps` square grids.
        steps: Time steps; their number stays.
        size: Height and width of the new grids.

    Returns:
        One row for each of the `steps * height * width` positions.
    """
    side = round((table.shape[1] / steps) ** 0.5)
    grids = table.reshape(steps, side, side, -1).permute(0, 3, 1, 2)
    # Sources: bicubic, align_corners=False, no antialiasing; others are off by 0.002 to 0.04 in logits. The same size comes
    # out as it is, and is not told apart: an exported program takes any size.
    resized = functional.interpolate(grids, size=size, mode="bicubic", align_corners=False)
    return resized.permute(0, 2, 3, 1).reshape(1, steps * size[0] * size[1], -1)
