"""FBO-NL: stacked non-local layers in which a person attends to the bank's window (Wu et al., section 3.3, figure 4).

    s = dropout(W_s short_term)         l = dropout(W_l bank)
    s = s + dropout(W_o relu(LN(y)))            for each layer, with pre_act
    s = relu(s + dropout(LN(W_o y)))            for each layer, without
    where y = softmax(theta(s) phi(l)^T / sqrt(d)) g(l), and all layers read the same l

Where the work goes: there are hundreds of slots and few persons, so a layer's projections move to the persons' side,
theta(s) phi(l)^T = (theta(s) W_phi) l^T + a constant, and g, being linear, comes after the mean over the slots. What the
slots are laid out like is in `memory`.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from lfb_lightning.bank_window import Packing
from lfb_lightning.models.fbo.memory import DenseMemory, Memory, PackedMemory
from lfb_lightning.models.fbo.operator import required
from lfb_lightning.models.fbo.standardizing import StandardizingFBO
from lfb_lightning.structures import Attention, BankWindow

Form = Literal["auto", "packed", "dense"]


class FBONonLocal(StandardizingFBO):
    """The non-local feature bank operator: attention from each person to the window of its clip.

    Args:
        channels: Width of the short-term features.
        bank_channels: Width of the bank's features; None: `channels`.
        latent_channels: Width of the attention, and what it adds to the short-term feature.
        num_layers: Stacked attention layers.
        dropout: Probability, on both projections and on every layer's output.
        mask_padding: Whether the empty slots of a window take no part. With False, as in the paper and in the reference
            implementations, they take part as zero vectors.
        norm_inputs: Whether inputs are standardized per channel by the bank's statistics (`set_statistics`): the window,
            and the short-term features where they are as wide as the bank's. With another bank than the detector's
            own (`read_another_bank`), they have statistics of their own bank, or are left as they are.
            Paper: raw features. On small data raw post-ReLU features share a large common component that drowns the
            attention.
        pre_act: Whether norm and ReLU come before a layer's output projection, or the norm behind it and a ReLU behind
            the sum. The paper has the first on AVA and EPIC-Kitchens and the second on Charades.
            Paper: the layer norm has no weights. Ours has, as mmaction2's; they start at 1 and 0.

    Attributes:
        form: How the window is laid out, which changes the result by rounding errors only and is no part of a checkpoint:
            `packed` or `dense` (see `memory`), or `auto`, which is packed except for torch.export, and for torch.compile
            where a window has no `packing`. In training, dropout draws other numbers in the dense form: an empty slot's
            are its own there, as in the reference implementations, and those of all empty slots together in the packed one.
    """

    reads_bank = True
    attends = True

    def __init__(
        self,
        *,
        channels: int,
        bank_channels: int | None = None,
        latent_channels: int = 512,
        num_layers: int = 2,
        dropout: float = 0.2,
        mask_padding: bool = False,
        norm_inputs: bool = False,
        pre_act: bool = True,
    ) -> None:
        super().__init__()
        self.form: Form = "auto"
        if latent_channels < 1 or num_layers < 1:
            raise ValueError(f"latent_channels is {latent_channels} and num_layers {num_layers}, expected at least 1")
        bank_channels = bank_channels or channels
        self.out_channels = latent_channels
        self.mask_padding = mask_padding
        self.short_term_projection = nn.Linear(channels, latent_channels)
        self.long_term_projection = nn.Linear(bank_channels, latent_channels)
        self.layers = nn.ModuleList(NonLocalLayer(latent_channels, dropout, pre_act=pre_act) for _ in range(num_layers))
        self.dropout = nn.Dropout(dropout)
        self._keep_statistics(channels=channels, bank_channels=bank_channels, norm_inputs=norm_inputs)
        for projection in (self.short_term_projection, self.long_term_projection):
            nn.init.kaiming_normal_(projection.weight, nonlinearity="relu")
            nn.init.zeros_(projection.bias)

    def forward(
        self,
        short_term: Float[Tensor, "R C"],
        window: BankWindow | None,
        clip_of_roi: Int[Tensor, " R"],
        return_attention: bool = False,
    ) -> Float[Tensor, "R D"] | tuple[Float[Tensor, "R D"], Attention]:
        """Read the window of each person's clip; with `mask_padding`, an empty one adds nothing to the projected feature.

        Args:
            short_term: Features of the R persons.
            window: Windows of the B clips.
            clip_of_roi: The clip that each person is in, 0 to B - 1.
            return_attention: Whether to return where the layers looked, too.
        """
        window = required(window)
        memory = self._memory(window, clip_of_roi, short_term.dtype)
        if self.standardizes_short_term:
            short_term = self._standardize_short_term(short_term)
        query = self.dropout(self.short_term_projection(short_term))
        seen: list[Tensor] | None = [] if return_attention else None
        for layer in self.layers:
            query = layer(query, memory, seen)
        return query if seen is None else (query, memory.attention(seen))

    def _memory(self, window: BankWindow, clip_of_roi: Int[Tensor, " R"], dtype: torch.dtype) -> Memory:
        if self.form not in get_args(Form):
            raise ValueError(f"form is {self.form!r}, expected one of {', '.join(get_args(Form))}")
        if self.form == "dense" or (self.form == "auto" and _has_to_be_dense(window)):
            slots = window.padded(dtype)
            if self.norm_inputs:  # the empty slots stay zero
                slots = torch.where(window.mask[:, :, None], self._standardize(slots), torch.zeros_like(slots))
            slots = self.dropout(self.long_term_projection(slots))
            return DenseMemory.of(slots, window.mask, clip_of_roi, mask_padding=self.mask_padding)
        packing = window.packing or Packing.of(window.mask, clip_of_roi)
        rows = window.packed(dtype, packing)  # [N, C] filled slots, clip by clip
        if self.norm_inputs:
            rows = self._standardize(rows)
        rows = self.dropout(self.long_term_projection(rows))
        # The reference implementations drop out every empty slot on its own; one mask for all here, since they are one entry.
        empty = self.dropout(self.long_term_projection.bias.to(rows.dtype))
        return PackedMemory.of(rows, empty, window.mask, clip_of_roi, packing, mask_padding=self.mask_padding)


def _has_to_be_dense(window: BankWindow) -> bool:
    """Say whether a program is made of it that cannot follow sizes that are in the mask."""
    if torch.compiler.is_exporting():
        return True
    return torch.compiler.is_compiling() and window.packing is None


class NonLocalLayer(nn.Module):
    """One residual attention layer; its output starts as zero, so that a new layer adds nothing."""

    def __init__(self, channels: int, dropout: float, *, pre_act: bool = True) -> None:
        super().__init__()
        self.pre_act = pre_act
        self.query = nn.Linear(channels, channels)
        self.key = nn.Linear(channels, channels)
        self.value = nn.Linear(channels, channels)
        self.norm = nn.LayerNorm(channels)
        self.out = nn.Linear(channels, channels)
        self.dropout = nn.Dropout(dropout)
        for linear in (self.query, self.key, self.value):
            nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
            nn.init.zeros_(linear.bias)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(
        self, x: Float[Tensor, "R D"], memory: Memory, seen: list[Tensor] | None = None
    ) -> Float[Tensor, "R D"]:
        """Add what each person finds in its clip's memory, and append the weights `[G, P, M]` to `seen`, if given."""
        query = memory.grouped(self.query(x)) / math.sqrt(x.shape[1])  # [G, P, D]
        logits = (query @ self.key.weight) @ memory.entries.transpose(1, 2)  # [G, P, M]
        logits = (
            logits + (query @ self.key.bias)[:, :, None]
        )  # no effect on a softmax, but every parameter gets a gradient
        # fp32: a softmax over hundreds of slots loses its tail in half precision.
        weights = torch.softmax(logits.float() + memory.log_count[:, None, :], dim=2)
        if seen is not None:
            seen.append(weights)
        found = self.value(memory.ungrouped(weights.to(memory.entries.dtype) @ memory.entries))  # [R, D]
        out = self.out(F.relu(self.norm(found))) if self.pre_act else self.norm(self.out(found))
        x = x + self.dropout(out) * memory.exists[:, None].to(x.dtype)
        return x if self.pre_act else F.relu(x)
