"""The parts of a vision transformer: attention, the pre-norm block around it, and drop path."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

_NORM_EPSILON = 1e-6  # of every source; torch's default is 1e-5


def token_norm(channels: int) -> nn.LayerNorm:
    """Make the layer norm that video transformers use."""
    return nn.LayerNorm(channels, eps=_NORM_EPSILON)


class DropPath(nn.Module):
    """Stochastic depth: in training, leaves a residual branch out for some clips and scales it up for the others.

    Args:
        rate: Probability that a clip's branch is left out.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, branch: Float[Tensor, "B N C"]) -> Float[Tensor, "B N C"]:
        """Leave out the branch of some clips."""
        if self.rate == 0 or not self.training:
            return branch
        kept = self.kept(len(branch), branch.device).to(branch.dtype) / (1 - self.rate)
        return branch * kept[:, None, None]

    def kept(self, clips: int, device: torch.device) -> Bool[Tensor, " B"]:
        """Draw for each clip whether its branch is kept."""
        return torch.rand(clips, device=device) >= self.rate


class Attention(nn.Module):
    """Multi-head self-attention over all tokens of a clip, by torch's fused kernel.

    Queries and values have a bias, keys have none: the softmax would not notice it.

    Args:
        channels: Of its input and output.
        num_heads: Heads that the channels are split into.
    """

    def __init__(self, channels: int, *, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(channels, 3 * channels, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(channels))
        self.v_bias = nn.Parameter(torch.zeros(channels))
        self.proj = nn.Linear(channels, channels)

    def forward(self, x: Float[Tensor, "B N C"]) -> Float[Tensor, "B N C"]:
        """Let each token of a clip look at all of them."""
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        qkv = functional.linear(x, self.qkv.weight, bias).unflatten(2, (3, self.num_heads, -1))
        query, key, value = qkv.permute(2, 0, 3, 1, 4)  # each [B, heads, N, C / heads]
        found = functional.scaled_dot_product_attention(query, key, value)
        out: Tensor = self.proj(found.transpose(1, 2).flatten(2))
        return out


class MLP(nn.Module):
    """Two linear layers with an exact GELU between them."""

    def __init__(self, channels: int, *, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(channels, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, channels)

    def forward(self, x: Float[Tensor, "B N C"]) -> Float[Tensor, "B N C"]:
        """Apply both layers to each token by itself."""
        out: Tensor = self.fc2(self.act(self.fc1(x)))
        return out


class Block(nn.Module):
    """A pre-norm transformer block: attention, then the MLP, each added to what it reads.

    Args:
        channels: Of its tokens.
        num_heads: Heads of the attention.
        mlp_ratio: Hidden channels of the MLP per channel.
        drop_path_rate: Probability with which training leaves a clip's branch out.
    """

    def __init__(self, channels: int, *, num_heads: int, mlp_ratio: float, drop_path_rate: float) -> None:
        super().__init__()
        self.norm1 = token_norm(channels)
        self.attn = Attention(channels, num_heads=num_heads)
        self.norm2 = token_norm(channels)
        self.mlp = MLP(channels, hidden=round(channels * mlp_ratio))
        self.drop_path = DropPath(drop_path_rate)

    def forward(self, x: Float[Tensor, "B N C"]) -> Float[Tensor, "B N C"]:
        """Let the tokens of each clip attend to each other, then apply the MLP to each."""
        x = x + self.drop_path(self.attn(self.norm1(x)))
        return x + self.drop_path(self.mlp(self.norm2(x)))
