"""MViTv2's attention through the fused kernel, with torchvision's layers and weights.

What relative position adds to a logit is a sum of three products of the query, one per axis: q . (T[t_q, t_k] + H[h_q, h_k] +
W[w_q, w_k]). So each query gets those products as further channels, each key ones at its own place along each axis, and the
fused kernel computes the whole logit: no matrix of queries times keys is ever kept.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torchvision.models.video import mvit as torchvisions

_CHANNELS_OF_A_KERNEL = 8  # fused kernels want a multiple of it


class FusedMultiscaleAttention(nn.Module):
    """The same attention as torchvision's, with its layers under its names.

    Args:
        attention: Torchvision's, with pooled queries, keys and values and relative positions; its layers are taken over.
    """

    def __init__(self, attention: torchvisions.MultiscaleAttention) -> None:
        super().__init__()
        self.num_heads = attention.num_heads
        self.head_dim = attention.head_dim
        self.qkv, self.project = attention.qkv, attention.project
        self.pool_q, self.pool_k, self.pool_v = attention.pool_q, attention.pool_k, attention.pool_v
        self.rel_pos_h, self.rel_pos_w = attention.rel_pos_h, attention.rel_pos_w
        self.rel_pos_t = attention.rel_pos_t

    def forward(
        self, x: Float[Tensor, "B N C"], size: tuple[int, int, int]
    ) -> tuple[Float[Tensor, "B M D"], tuple[int, int, int]]:
        """Attend.

        Args:
            x: The class token and the map's tokens, in the order t, h, w.
            size: The map's t, h, w.

        Returns:
            The tokens of the pooled map behind its class token, and that map's size.
        """
        parts = (
            self.qkv(x).unflatten(2, (3, self.num_heads, self.head_dim)).transpose(1, 3).unbind(dim=2)
        )  # [B, H, N, d]
        query, of_queries = self.pool_q(parts[0], size)
        key, of_keys = self.pool_k(parts[1], size)
        value, _ = self.pool_v(parts[2], size)
        relative = self._relative(query[:, :, 1:].unflatten(2, of_queries), of_queries, of_keys)
        places = _places(of_keys, query.device).to(query.dtype).expand(*key.shape[:2], -1, -1)
        added = -(self.head_dim + sum(of_keys)) % _CHANNELS_OF_A_KERNEL
        found = F.scaled_dot_product_attention(
            torch.cat(
                [query * self.head_dim**-0.5, F.pad(relative, (0, added, 1, 0))], dim=3
            ),  # none of the class token
            torch.cat([key, F.pad(places, (0, added, 1, 0))], dim=3),
            F.pad(value, (0, sum(of_keys) + added)),
            scale=1.0,
        )[..., : self.head_dim]
        found = found + F.pad(query[:, :, 1:], (0, 0, 1, 0))  # the pooled queries pass by, the class token's aside
        return self.project(found.transpose(1, 2).flatten(2)), of_queries

    def _relative(
        self, queries: Float[Tensor, "B heads t h w d"], of_queries: tuple[int, int, int], of_keys: tuple[int, int, int]
    ) -> Float[Tensor, "B heads M K"]:
        """Multiply each query by the table's rows of each place of a key, axis by axis."""
        products = []
        for axis, table in zip("thw", (self.rel_pos_t, self.rel_pos_h, self.rel_pos_w), strict=True):
            lengths = [sizes["thw".index(axis)] for sizes in (of_queries, of_keys)]
            products.append(torch.einsum(f"bnthwd,{axis}kd->bnthwk", queries, _rows(table, *lengths)))
        return torch.cat(products, dim=5).flatten(2, 4)


def _rows(table: Float[Tensor, "L d"], queries: int, keys: int) -> Float[Tensor, "q k d"]:
    """Give the table's row of each pair of places along an axis: interpolated to its length, then by their distance."""
    length = 2 * max(queries, keys) - 1
    if len(table) != length:
        table = F.interpolate(table.t()[None], size=length, mode="linear")[0].t()
    of_query = torch.arange(queries, device=table.device)[:, None] * max(keys / queries, 1.0)
    of_key = (torch.arange(keys, device=table.device) + 1.0 - keys)[None] * max(queries / keys, 1.0)
    return table[(of_query - of_key).long()]


def _places(of_keys: tuple[int, int, int], device: torch.device) -> Bool[Tensor, "K sizes"]:
    """Mark each key's place along each axis."""
    axes = [torch.arange(length, device=device) for length in of_keys]
    grids = torch.meshgrid(*axes, indexing="ij")
    return torch.cat([grid.reshape(-1, 1) == axis for grid, axis in zip(grids, axes, strict=True)], dim=1)
