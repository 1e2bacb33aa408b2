"""Multi-head cross-attention from each person to the bank's window, with relative time: beyond the paper.

    x = W_s short_term                  m = norm(W_l bank), and one learned entry that stands for "nothing here"
    x = x + dropout(W_o attend(W_q norm(x), W_k m + time + identity, W_v m))          for each layer

What differs from FBO-NL: several heads; the norm comes before the attention and not behind it; a learned bias says how
much each head cares for a moment so many seconds before or after the key frame; empty slots take no part, and a learned
entry takes their place, so that a person may look at nothing. It is our own design and has no published figure.

With `identity`, the window says which slots show the same person (`BankWindow.same_person`). Keys of such slots have a
learned vector added, and their logits a learned bias, per head and moment; both start as zero. The vector learns faster:
AdamW moves a number by about its learning rate per step, so that a bias alone needs a thousand steps to tell persons
apart. Where a person's track is not known, no slot is marked, and it is attended as without identity.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor, nn

from lfb_lightning.errors import InputError
from lfb_lightning.models.bounds import require_multiple
from lfb_lightning.models.fbo.operator import required
from lfb_lightning.models.fbo.standardizing import StandardizingFBO
from lfb_lightning.structures import Attention, BankWindow

_NEVER = -1e9  # added to a logit: its weight is exactly 0; unlike -inf, it has a gradient


class FBOCrossAttention(StandardizingFBO):
    """Cross-attention from each person to the window of its clip.

    Args:
        channels: Width of the short-term features.
        bank_channels: Width of the bank's features; None: `channels`.
        latent_channels: Width of the attention, a multiple of `num_heads`, and what it adds to the short-term feature.
        num_heads: Attention heads of each layer.
        num_layers: Stacked attention layers.
        dropout: Probability, on the attention weights and on every layer's output.
        norm_inputs: Whether inputs are standardized per channel by the bank's statistics (`set_statistics`): the window,
            and the short-term features where they are as wide as the bank's. With another bank than the detector's
            own (`read_another_bank`), they have statistics of their own bank, or are left as they are.
        cells: Cells of time of a window in the grid layout, whose distance from the key frame gets a learned bias, the
            same number before every clip; None: no bias, as the packed layout needs it.
        slots_per_cell: Slots of each cell.
        identity: Whether it learns what slots of the same person are worth; its windows then say which these are.

    Raises:
        ValueError: A number is not positive, or the heads do not divide the width.
    """

    reads_bank = True
    attends = True

    def __init__(
        self,
        *,
        channels: int,
        bank_channels: int | None = None,
        latent_channels: int = 512,
        num_heads: int = 8,
        num_layers: int = 2,
        dropout: float = 0.2,
        norm_inputs: bool = True,
        cells: int | None = None,
        slots_per_cell: int = 5,
        identity: bool = False,
    ) -> None:
        super().__init__()
        if min(latent_channels, num_heads, num_layers, slots_per_cell, 1 if cells is None else cells) < 1:
            raise ValueError("latent_channels, num_heads, num_layers, cells and slots_per_cell must be at least 1")
        require_multiple("latent_channels", latent_channels, "num_heads", num_heads)
        bank_channels = bank_channels or channels
        self.out_channels = latent_channels
        self.cells = cells
        self.slots_per_cell = slots_per_cell
        self.reads_identity = identity
        self.short_term_projection = nn.Linear(channels, latent_channels)
        self.long_term_projection = nn.Linear(bank_channels, latent_channels)
        self.nothing = nn.Parameter(torch.zeros(latent_channels))
        self.memory_norm = nn.LayerNorm(latent_channels)
        self.layers = nn.ModuleList(
            CrossAttentionLayer(latent_channels, num_heads, dropout, cells=cells, identity=identity)
            for _ in range(num_layers)
        )
        self._keep_statistics(channels=channels, bank_channels=bank_channels, norm_inputs=norm_inputs)
        nn.init.normal_(self.nothing, std=0.02)

    @property
    def window_slots(self) -> int | None:
        """The number of slots that its windows have; None: it reads any."""
        return None if self.cells is None else self.cells * self.slots_per_cell

    def forward(
        self,
        short_term: Float[Tensor, "R C"],
        window: BankWindow | None,
        clip_of_roi: Int[Tensor, " R"],
        return_attention: bool = False,
    ) -> Float[Tensor, "R D"] | tuple[Float[Tensor, "R D"], Attention]:
        """Read the window of each person's clip; of an empty one, only the learned entry is there to look at.

        Args:
            short_term: Features of the R persons.
            window: Windows of the B clips.
            clip_of_roi: The clip that each person is in, 0 to B - 1.
            return_attention: Whether to return where the layers looked, too: the mean over the heads. `empty` is the
                learned entry's share.

        Raises:
            InputError: The window has another number of slots than this FBO was built for, or does not say who is who.
        """
        window = required(window)
        self._refuse_unfit(window)
        entries = window.padded(short_term.dtype)
        if self.norm_inputs:
            entries = self._standardize(entries)
        if self.standardizes_short_term:
            short_term = self._standardize_short_term(short_term)
        nothing = self.nothing.to(entries.dtype).expand(entries.shape[0], 1, -1)
        memory = self.memory_norm(torch.cat([nothing, self.long_term_projection(entries)], dim=1))  # [B, 1 + S, D]
        there = F.pad(window.mask, (1, 0), value=True)  # [B, 1 + S]
        x = self.short_term_projection(short_term)
        seen: list[Tensor] | None = [] if return_attention else None
        for layer in self.layers:
            x = layer(x, memory, there, clip_of_roi, self.slots_per_cell, seen, window.same_person)
        if seen is None:
            return x
        weights = torch.stack(seen, dim=1)  # [R, L, 1 + S]
        return x, Attention(weights=weights[:, :, 1:], empty=weights[:, :, 0])

    def _refuse_unfit(self, window: BankWindow) -> None:
        slots = window.mask.shape[1]
        if self.window_slots is not None and slots != self.window_slots:
            raise InputError(
                f"fbo.cells is {self.cells} and fbo.slots_per_cell {self.slots_per_cell}, which is a window of "
                f"{self.window_slots} slots; the bank's window has {slots}. Read the window that it was "
                "trained with (bank.window_seconds, bank.features_per_second), or train with fbo.cells=null."
            )
        if self.reads_identity and window.same_person is None:
            raise InputError(
                "fbo.identity is true, but the window does not say which slots show the same person (same_person is None); "
                "where no tracks are known, give it a same_person that is False everywhere, [persons, slots]."
            )


class CrossAttentionLayer(nn.Module):
    """One residual layer; its output starts as zero, so that a new layer adds nothing."""

    def __init__(self, channels: int, num_heads: int, dropout: float, *, cells: int | None, identity: bool) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.dropout = dropout
        self.norm = nn.LayerNorm(channels)
        self.query = nn.Linear(channels, channels)
        self.key_value = nn.Linear(channels, 2 * channels)
        self.out = nn.Linear(channels, channels)
        self.time = None if cells is None else nn.Parameter(torch.empty(num_heads, cells))
        self.same = nn.Parameter(torch.empty(num_heads, cells or 1)) if identity else None
        self.same_key = nn.Parameter(torch.empty(num_heads, channels // num_heads)) if identity else None
        for learned in (self.time, self.same, self.same_key):  # filled when `no_larger_than` has looked at its size
            if learned is not None:
                nn.init.zeros_(learned)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(
        self,
        x: Float[Tensor, "R D"],
        memory: Float[Tensor, "B M D"],
        there: Bool[Tensor, "B M"],
        clip_of_roi: Int[Tensor, " R"],
        slots_per_cell: int,
        seen: list[Tensor] | None = None,
        same_person: Bool[Tensor, "R S"] | None = None,
    ) -> Float[Tensor, "R D"]:
        """Add what each person finds in its clip's memory, and append the mean weights `[R, M]` to `seen`, if given.

        Keys and values are computed once per clip and then given to the clip's persons: shapes follow from the input's
        shapes alone, so nothing waits for the device and torch.export can follow it.
        """
        heads = (self.num_heads, x.shape[1] // self.num_heads)
        query = self.query(self.norm(x)).unflatten(1, heads)[:, :, None]  # [R, H, 1, d]
        pairs = self.key_value(memory).unflatten(2, (2, *heads))[clip_of_roi]  # [R, M, 2, H, d]
        key, value = pairs.permute(2, 0, 3, 1, 4)  # [R, H, M, d] each
        bias = self._bias(there, slots_per_cell)[clip_of_roi][:, :, None]  # [R, H or 1, 1, M]
        for learned in (self.time, self.same, self.same_key):
            if learned is not None:  # a rank without persons: the kernel gives its bias no gradient, others would wait
                query = query + 0.0 * learned.sum()
        if self.same is not None and self.same_key is not None and same_person is not None:
            worth = self._worth_of_same(query, slots_per_cell)  # [R, H, 1, S or 1]
            bias = bias + F.pad(worth * same_person[:, None, None], (1, 0))
        if seen is not None:
            logits = (query.float() @ key.float().transpose(2, 3)) / heads[1] ** 0.5 + bias
            seen.append(torch.softmax(logits, dim=3).mean(dim=1)[:, 0])
        found = F.scaled_dot_product_attention(
            query, key, value, attn_mask=bias.to(query.dtype), dropout_p=self.dropout if self.training else 0.0
        )
        return x + F.dropout(self.out(found.flatten(1)), self.dropout, self.training)

    def _bias(self, there: Bool[Tensor, "B M"], slots_per_cell: int) -> Float32[Tensor, "B H M"]:
        """What is added to the logits: a head's bias for each moment, and what excludes the empty slots."""
        excluded = torch.zeros(there.shape, device=there.device).masked_fill(~there, _NEVER)[:, None]
        if self.time is None:
            return excluded
        of_slots = self.time.float().repeat_interleave(slots_per_cell, dim=1)  # [H, S]
        return excluded + F.pad(of_slots, (1, 0))

    def _worth_of_same(self, query: Float[Tensor, "R H 1 d"], slots_per_cell: int) -> Float32[Tensor, "R H 1 _"]:
        """What a slot's logit gains if it shows the same person: its head's bias, and the query times the vector of keys."""
        assert self.same is not None
        assert self.same_key is not None
        of_key = (query.float() * self.same_key.float()[:, None]).sum(dim=3, keepdim=True) / query.shape[3] ** 0.5
        of_slots = self.same.float()
        if self.time is not None:
            of_slots = of_slots.repeat_interleave(slots_per_cell, dim=1)
        return of_key + of_slots[:, None]
