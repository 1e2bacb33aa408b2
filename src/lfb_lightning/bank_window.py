"""What is read of a bank around each clip of a batch, and how its filled slots are packed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Float32, Int64, Shaped
from torch import Tensor

from lfb_lightning.movable import Movable


@dataclass(frozen=True, slots=True)
class Packing(Movable):
    """Where the filled slots of B windows go if each clip's are laid side by side, and its persons as well.

    Its numbers follow from the mask and from which person is in which clip. They are best computed before the batch goes to
    a GPU: two of them are sizes, which the host would have to wait for.

    Args:
        rows: The filled slots, clip by clip, among the flattened `[B * S]`.
        places: Where each of them goes among the flattened `[B * width]`.
        width: Places of each clip: one for each filled slot of the fullest, and one for all empty slots.
        person_places: Where each person goes among the flattened `[B * most_persons]`.
        most_persons: Persons of the clip that has most, at least 1.
    """

    rows: Int64[Tensor, " N"]
    places: Int64[Tensor, " N"]
    width: int
    person_places: Int64[Tensor, " R"]
    most_persons: int

    @classmethod
    def of(cls, mask: Bool[Tensor, "B S"], clip_of_roi: Shaped[Tensor, " R"]) -> Packing:
        """Compute it.

        Args:
            mask: Which slots are filled.
            clip_of_roi: The clip that each person is in, 0 to B - 1.
        """
        counts = mask.sum(dim=1)  # [B]
        clips = torch.arange(len(mask), device=mask.device)
        width = int(counts.max()) + 1 if len(mask) else 1
        rows = mask.flatten().nonzero()[:, 0]
        rank = (mask.cumsum(dim=1) - 1).flatten()[rows]  # of each filled slot within its clip
        clip_of_row = clips.repeat_interleave(counts, output_size=len(rows))
        belongs = clip_of_roi[:, None] == clips[None, :]  # [R, B]; small
        rank_of_person = (belongs.cumsum(dim=0) - 1).gather(1, clip_of_roi[:, None])[:, 0]
        most_persons = max(int(belongs.sum(dim=0).max()), 1) if len(mask) else 1
        return cls(
            rows=rows,
            places=clip_of_row * width + rank,
            width=width,
            person_places=clip_of_roi * most_persons + rank_of_person,
            most_persons=most_persons,
        )


@dataclass(frozen=True, slots=True)
class BankWindow(Movable):
    """The slice of the feature bank around each clip, once per clip.

    In the grid layout, slots run cell by cell (AVA: second by second, `bank.features_per_second` slots each) and each
    cell is filled from its front; in the packed layout, the window is.

    Args:
        features: Zero where a slot is empty; in the precision of the bank, so that half or a quarter of the bytes
            travel.
        mask: Which slots are filled.
        scales: Of int8 features only: a slot stands for `features * scales`.
        same_person: For an FBO that `reads_identity`: slots of each region's own person; none if its track is not known.
        packing: `Packing.of` the mask and the batch's regions; None: who packs computes it, and waits for the device.
    """

    features: Shaped[Tensor, "B S C"]
    mask: Bool[Tensor, "B S"]
    scales: Float32[Tensor, "B S"] | None = None
    same_person: Bool[Tensor, "R S"] | None = None
    packing: Packing | None = None

    def packed(self, dtype: torch.dtype, packing: Packing | None = None) -> Float[Tensor, "N C"]:
        """Give the features of the filled slots, clip by clip, in a dtype to compute in.

        Args:
            dtype: Of the result.
            packing: Of this window, where it is known; else its own, or the mask's.
        """
        packing = packing or self.packing
        chosen = self.mask.flatten().nonzero()[:, 0] if packing is None else packing.rows
        rows = self.features.flatten(0, 1)[chosen].to(dtype)
        return rows if self.scales is None else rows * self.scales.flatten()[chosen][:, None].to(dtype)

    def padded(self, dtype: torch.dtype) -> Float[Tensor, "B S C"]:
        """Give the features of all slots, zero where one is empty, in a dtype to compute in."""
        features = self.features.to(dtype)
        return features if self.scales is None else features * self.scales[:, :, None].to(dtype)


@dataclass(frozen=True, slots=True)
class BankWindows(Movable):
    """The slices of several banks around each clip: `windows[i]` is of the bank that the detector calls `names[i]`."""

    names: tuple[str, ...]
    windows: tuple[BankWindow, ...]

    @classmethod
    def of(cls, windows: Mapping[str, BankWindow]) -> BankWindows:
        """Make them of a window for each bank."""
        return cls(tuple(windows), tuple(windows.values()))

    def __getitem__(self, name: str) -> BankWindow:
        """Give the window of a bank; raises KeyError where there is none of that name."""
        return dict(zip(self.names, self.windows, strict=True))[name]
