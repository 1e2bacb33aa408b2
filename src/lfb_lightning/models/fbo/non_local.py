"""FBO-NL: stacked non-local layers in which a person attends to the bank's window (Wu et al., section 3.3, figure 4).

    s = dropout(W_s short_term)         l = dropout(W_l bank)
    s = s + dropout(W_o relu(LN(y)))            for each layer, with pre_act
    s = relu(s + dropout(LN(W_o y)))            for each layer, without
    where y = softmax(theta(s) phi(l)^T / sqrt(d)) g(l), and all layers read the same l

Where the work goes: the window belongs to a clip, not to a person, and is mostly empty slots. So the projections of the
bank run once per clip and on filled rows only; attention runs over the persons grouped by clip. The empty slots of
`mask_padding=False` all hold the same vector (zero, hence the projection's bias), so they are one slot that counts n
times: its logit grows by log n.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from lfb_lightning.models.fbo.operator import required
from lfb_lightning.structures import BankWindow


class FBONonLocal(nn.Module):
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
            and the short-term features where they are as wide as the bank's.
            # Paper: raw features. On small data raw post-ReLU features share a large common component that drowns the
            attention.
        pre_act: Whether norm and ReLU come before a layer's output projection, or the norm behind it and a ReLU behind
            the sum. The paper has the first on AVA and EPIC-Kitchens and the second on Charades.
            # Paper: the layer norm has no weights. Ours has, as mmaction2's; they start at 1 and 0.
    """

    reads_bank = True

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
        if latent_channels < 1 or num_layers < 1:
            raise ValueError(f"latent_channels is {latent_channels} and num_layers {num_layers}, expected at least 1")
        bank_channels = bank_channels or channels
        self.out_channels = latent_channels
        self.mask_padding = mask_padding
        self.norm_inputs = norm_inputs
        self.standardizes_short_term = norm_inputs and channels == bank_channels
        self.short_term_projection = nn.Linear(channels, latent_channels)
        self.long_term_projection = nn.Linear(bank_channels, latent_channels)
        self.layers = nn.ModuleList(NonLocalLayer(latent_channels, dropout, pre_act=pre_act) for _ in range(num_layers))
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("mean", torch.zeros(bank_channels))
        self.register_buffer("std", torch.ones(bank_channels))
        for projection in (self.short_term_projection, self.long_term_projection):
            nn.init.kaiming_normal_(projection.weight, nonlinearity="relu")
            nn.init.zeros_(projection.bias)

    @property
    def needs_statistics(self) -> bool:
        """Whether `set_statistics` is to be called before training."""
        return self.norm_inputs

    def set_statistics(self, mean: Float[Tensor, " C"], std: Float[Tensor, " C"]) -> None:
        """Take the bank's mean and standard deviation per channel, for `norm_inputs`; constant channels stay unscaled."""
        self.get_buffer("mean").copy_(mean)
        self.get_buffer("std").copy_(torch.where(std > 1e-6, std, torch.ones_like(std)))

    def forward(
        self, short_term: Float[Tensor, "R C"], window: BankWindow | None, clip_of_roi: Int[Tensor, " R"]
    ) -> Float[Tensor, "R D"]:
        """Read the window of each person's clip; with `mask_padding`, an empty one adds nothing to the projected feature.

        Args:
            short_term: Features of the R persons.
            window: Windows of the B clips.
            clip_of_roi: The clip that each person is in, 0 to B - 1.
        """
        window = required(window)
        rows = window.packed(short_term.dtype)  # [N, D] filled slots, clip by clip
        if self.norm_inputs:
            rows = self._standardize(rows)
        if self.standardizes_short_term:
            short_term = self._standardize(short_term)
        packed = self.dropout(self.long_term_projection(rows))
        query = self.dropout(self.short_term_projection(short_term))
        memory = _Memory.pack(packed, window.mask, self._empty_slot(packed), mask_padding=self.mask_padding)
        group = _group_by_clip(clip_of_roi, len(window.mask))
        for layer in self.layers:
            query = layer(query, memory, group)
        return query

    def _standardize(self, features: Float[Tensor, "N C"]) -> Float[Tensor, "N C"]:
        return (features - self.get_buffer("mean")) / self.get_buffer("std")

    def _empty_slot(self, packed: Tensor) -> Float[Tensor, " D"]:
        # The reference implementations drop out every empty slot on its own; one mask for all here, since they are one slot.
        return self.dropout(self.long_term_projection.bias.to(packed.dtype))


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

    def forward(self, x: Float[Tensor, "R D"], memory: _Memory, group: _Group) -> Float[Tensor, "R D"]:
        """Add what each person finds in its clip's memory."""
        query = group.scatter(self.query(x))  # [B, P, D]
        keys, values = memory.padded(self.key), memory.padded(self.value)  # [B, M, D]
        logits = query @ keys.transpose(1, 2) / math.sqrt(x.shape[1])  # [B, P, M]
        # fp32: a softmax over hundreds of slots loses its tail in half precision.
        weights = torch.softmax(logits.float() + memory.log_count[:, None, :], dim=2)
        found = group.gather(weights.to(values.dtype) @ values)  # [R, D]
        out = self.out(F.relu(self.norm(found))) if self.pre_act else self.norm(self.out(found))
        x = x + self.dropout(out) * memory.exists[group.clip_of_roi][:, None].to(x.dtype)
        return x if self.pre_act else F.relu(x)


class _Memory:
    """Filled slots of all clips, packed, and where they stand when padded to the fullest clip.

    `log_count [B, M]`: log of how many slots an entry stands for (-inf for none); `exists [B]`: anything to attend to.
    """

    def __init__(self, rows: Tensor, place: Tensor, log_count: Tensor) -> None:
        self.rows = rows
        self.place = place  # index into the flattened [B * M]
        self.exists = torch.isfinite(log_count).any(dim=1)
        self.log_count = torch.where(self.exists[:, None], log_count, torch.zeros_like(log_count))

    @classmethod
    def pack(
        cls, rows: Float[Tensor, "N D"], mask: Bool[Tensor, "B S"], empty: Float[Tensor, " D"], *, mask_padding: bool
    ) -> _Memory:
        """Rows in clip order; unless `mask_padding`, `empty` joins each clip that has empty slots."""
        counts = mask.sum(dim=1)  # [B]
        num_clips, width = len(mask), int(counts.max()) + 1 if len(mask) else 1
        slot = (mask.cumsum(dim=1) - 1)[mask]  # rank of each row within its clip
        clip = torch.arange(num_clips, device=mask.device)
        place = clip.repeat_interleave(counts) * width + slot
        log_count = torch.full((num_clips, width), -torch.inf, device=mask.device)
        log_count.view(-1)[place] = 0.0
        if not mask_padding:
            num_empty = mask.shape[1] - counts
            log_count[:, -1] = torch.log(num_empty.float())  # log 0 = -inf: a full window has no empty slot
            place = torch.cat([place, clip * width + width - 1])
            rows = torch.cat([rows, empty.expand(num_clips, -1)])
        return cls(rows, place, log_count)

    def padded(self, projection: nn.Module) -> Float[Tensor, "B M D"]:
        """Project the packed rows and lay them out per clip, zero where there is none."""
        projected = projection(self.rows)
        flat = projected.new_zeros(self.log_count.numel(), projected.shape[1])
        return flat.index_copy(0, self.place, projected).view(*self.log_count.shape, -1)


class _Group:
    """Persons laid out per clip: `[R, D] <-> [B, P, D]` with P the most persons in a clip."""

    def __init__(self, clip_of_roi: Tensor, place: Tensor, num_clips: int, width: int) -> None:
        self.clip_of_roi = clip_of_roi
        self.place = place
        self.num_clips = num_clips
        self.width = width

    def scatter(self, x: Float[Tensor, "R D"]) -> Float[Tensor, "B P D"]:
        flat = x.new_zeros(self.num_clips * self.width, x.shape[1])
        return flat.index_copy(0, self.place, x).view(self.num_clips, self.width, -1)

    def gather(self, grouped: Float[Tensor, "B P D"]) -> Float[Tensor, "R D"]:
        return grouped.flatten(0, 1)[self.place]


def _group_by_clip(clip_of_roi: Int[Tensor, " R"], num_clips: int) -> _Group:
    clips = torch.arange(num_clips, device=clip_of_roi.device)
    belongs = clip_of_roi[:, None] == clips[None, :]  # [R, B]; small
    rank = (belongs.cumsum(dim=0) - 1).gather(1, clip_of_roi[:, None])[:, 0]
    width = int(belongs.sum(dim=0).max()) if num_clips else 1
    width = max(width, 1)
    return _Group(clip_of_roi, clip_of_roi * width + rank, num_clips, width)
