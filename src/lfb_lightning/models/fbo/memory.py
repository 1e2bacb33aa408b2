"""How FBO-NL lays out what its layers attend to: entries in G groups, and the persons who read each group.

Packed: a group is a clip, with its filled slots at the front (`bank_window.Packing`). The window belongs to a clip, not to
a person, and is mostly empty, so the bank is projected once per clip and on filled rows only. All empty slots of
`mask_padding=False` hold the same vector (zero, hence the projection's bias), so they are one entry that counts n times: its
logit grows by log n.

Dense: a group is a person, with all slots of its clip's window. Its shapes follow from the input's shapes alone: nothing
waits for the device, and torch.export can follow it.

Both have `entries [G, M, D]`, the projected slots of each group; `log_count [G, M]`, the logarithm of how many slots an
entry stands for, to be added to its logit; `exists [R]`, whether a person has anything to attend to; and the same methods.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float32, Int
from torch import Tensor

from lfb_lightning.bank_window import Packing
from lfb_lightning.structures import Attention

_NEVER = -1e9  # added to an fp32 logit: its weight is exactly 0; unlike -inf, a row of them has a softmax


@dataclass(frozen=True, slots=True)
class DenseMemory:
    """The windows of R persons, slot by slot: a group for each."""

    entries: Float[Tensor, "R S D"]
    log_count: Float32[Tensor, "R S"]
    exists: Bool[Tensor, " R"]
    filled: Bool[Tensor, "R S"]

    @classmethod
    def of(
        cls,
        entries: Float[Tensor, "B S D"],
        mask: Bool[Tensor, "B S"],
        clip_of_roi: Int[Tensor, " R"],
        *,
        mask_padding: bool,
    ) -> DenseMemory:
        """Give each person the window of its clip."""
        filled = mask[clip_of_roi]
        taking_part = filled if mask_padding else torch.ones_like(filled)
        never = torch.full_like(filled, _NEVER, dtype=torch.float32)
        return cls(
            entries=entries[clip_of_roi],
            log_count=torch.where(taking_part, torch.zeros_like(never), never),
            exists=taking_part.sum(dim=1) > 0,  # an ONNX program finds "any" of no slot to be true
            filled=filled,
        )

    def grouped(self, persons: Float[Tensor, "R D"]) -> Float[Tensor, "R 1 D"]:
        """Lay the persons' features out by group, so that one product attends for all groups."""
        return persons[:, None]

    def ungrouped(self, grouped: Float[Tensor, "R 1 D"]) -> Float[Tensor, "R D"]:
        """Lay features out by person again, which `grouped` has laid out by group."""
        return grouped[:, 0]

    def attention(self, layers: list[Tensor]) -> Attention:
        """Say which slots of the window the layers' weights, `[R, 1, S]` each, went to."""
        weights = torch.cat(layers, dim=1) * self.exists[:, None, None]
        filled = self.filled[:, None]
        return Attention(weights=weights * filled, empty=(weights * ~filled).sum(dim=2))


@dataclass(frozen=True, slots=True)
class PackedMemory:
    """The filled slots of B clips, padded to those of the fullest, and behind them the empty ones as one."""

    entries: Float[Tensor, "B M D"]
    log_count: Float32[Tensor, "B M"]
    exists: Bool[Tensor, " R"]
    mask: Bool[Tensor, "B S"]
    clip_of_roi: Int[Tensor, " R"]
    place: Int[Tensor, " R"]  # of each person among the flattened [B * P]
    most_persons: int  # P, of one clip

    @classmethod
    def of(
        cls,
        rows: Float[Tensor, "N D"],
        empty: Float[Tensor, " D"],
        mask: Bool[Tensor, "B S"],
        clip_of_roi: Int[Tensor, " R"],
        packing: Packing,
        *,
        mask_padding: bool,
    ) -> PackedMemory:
        """Pad the projected rows, which come clip by clip; `empty` stands for a clip's empty slots where they take part."""
        width, place = packing.width, packing.places
        log_count = torch.full((len(mask), width), -torch.inf, device=mask.device)
        log_count.view(-1).index_fill_(0, place, 0.0)
        if not mask_padding:
            # log 0 = -inf: a full window has no empty slot
            log_count[:, -1] = torch.log((mask.shape[1] - mask.sum(dim=1)).float())
            last = torch.arange(len(mask), device=mask.device) * width + width - 1
            place = torch.cat([place, last])
            rows = torch.cat([rows, empty.expand(len(mask), -1)])
        entries = rows.new_zeros(log_count.numel(), rows.shape[1]).index_copy(0, place, rows)
        exists = torch.isfinite(log_count).any(dim=1)
        return cls(
            entries=entries.view(len(mask), width, rows.shape[1]),
            log_count=torch.where(exists[:, None], log_count, torch.zeros_like(log_count)),
            exists=exists[clip_of_roi],
            mask=mask,
            clip_of_roi=clip_of_roi,
            place=packing.person_places,
            most_persons=packing.most_persons,
        )

    def grouped(self, persons: Float[Tensor, "R D"]) -> Float[Tensor, "B P D"]:
        """Lay the persons' features out by clip, zero where a clip has fewer than P persons."""
        flat = persons.new_zeros(len(self.mask) * self.most_persons, persons.shape[1])
        return flat.index_copy(0, self.place, persons).view(len(self.mask), self.most_persons, persons.shape[1])

    def ungrouped(self, grouped: Float[Tensor, "B P D"]) -> Float[Tensor, "R D"]:
        """Lay features out by person again, which `grouped` has laid out by clip."""
        return grouped.flatten(0, 1)[self.place]

    def attention(self, layers: list[Tensor]) -> Attention:
        """Say which slots of the window the layers' weights, `[B, P, M]` each, went to."""
        weights = (
            torch.stack([self.ungrouped(layer) for layer in layers], dim=1) * self.exists[:, None, None]
        )  # [R, L, M]
        rank = (self.mask.cumsum(dim=1) - 1).clamp(min=0)[self.clip_of_roi]  # [R, S]: the entry of each slot
        of_slots = weights.gather(2, rank[:, None].expand(-1, len(layers), -1))
        return Attention(weights=of_slots * self.mask[self.clip_of_roi][:, None], empty=weights[:, :, -1])


Memory = DenseMemory | PackedMemory
