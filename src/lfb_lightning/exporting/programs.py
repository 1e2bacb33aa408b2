"""A detector as programs of tensors alone: the whole of it, and the two parts between which a bank lies.

`features` computes what a bank stores, once for each person at each moment; `scores` reads a window of the bank that has
been made of it. `detector` is both, for a window that is already there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lfb_lightning.models import ActionDetector
from lfb_lightning.structures import BankWindow

# What each axis of each tensor counts; a number is what it always is, a name may be any number.
_CLIPS = ("clips", 3, "frames", "height", "width")
_ROIS = ("persons", 5)
ALWAYS_FREE = ("clips", "persons", "slots")


@dataclass(frozen=True, slots=True)
class Program:
    """What is exported as one file.

    Args:
        name: The file's name without its ending.
        module: The module; it takes the inputs in their order and returns the outputs as a tuple.
        inputs: Names and axes of the inputs.
        outputs: Names and axes of the outputs.
    """

    name: str
    module: nn.Module
    inputs: Mapping[str, Sequence[str | int]]
    outputs: Mapping[str, Sequence[str | int]]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Sizes of an example: how many of what each axis counts, and how much of the window is filled."""

    clips: int
    persons: int
    slots: int
    frames: int
    height: int
    width: int
    filled: float = 0.5


def programs(detector: ActionDetector) -> list[Program]:
    """Divide a detector in evaluation mode into programs."""
    channels, actions = detector.channels, detector.num_classes
    slots: str | int = detector.window_slots or "slots"
    window: dict[str, Sequence[str | int]] = {}
    if detector.reads_bank:
        window = {"window": ("clips", slots, detector.bank_channels), "mask": ("clips", slots)}
    if detector.reads_identity:
        window["same_person"] = ("persons", slots)
    attention: dict[str, Sequence[str | int]] = {}
    if detector.attends:
        attention = {"attention": ("persons", "layers", slots), "attention_empty": ("persons", "layers")}
    clips: dict[str, Sequence[str | int]] = {"clips": _CLIPS, "rois": _ROIS}
    features: dict[str, Sequence[str | int]] = {"features": ("persons", channels)}
    logits: dict[str, Sequence[str | int]] = {"logits": ("persons", actions)}
    whose: dict[str, Sequence[str | int]] = {"clip_of_roi": ("persons",)} if window else {}
    part = _ScoresOfWindow if window else _ScoresAlone
    whole = _WholeWithWindow if window else _WholeAlone
    return [
        Program("features", _Features(detector), clips, features),
        Program("scores", part(detector), features | whose | window, logits | attention),
        Program("detector", whole(detector), clips | window, logits | features),
    ]


def example(program: Program, sizes: Sizes, seed: int = 0) -> tuple[Tensor, ...]:
    """Make inputs of a program.

    Args:
        program: The program.
        sizes: Their sizes.
        seed: Of the random values.

    Returns:
        The inputs in their order: normalized clips, boxes within them, rows of a bank that are zero where a slot is empty.
    """
    random = torch.Generator().manual_seed(seed)
    corners = torch.rand(sizes.persons, 2, 2, generator=random).sort(dim=1).values.flatten(1)
    pixels = corners * torch.tensor([sizes.width, sizes.height, sizes.width, sizes.height])
    clip = torch.randint(0, max(sizes.clips, 1), (sizes.persons,), generator=random)
    made: dict[str, Tensor] = {"rois": torch.cat([clip[:, None], pixels], dim=1), "clip_of_roi": clip}
    shapes = {
        name: [axis if isinstance(axis, int) else getattr(sizes, axis) for axis in axes]
        for name, axes in program.inputs.items()
    }
    if "mask" in shapes:
        made["mask"] = torch.rand(shapes["mask"], generator=random) < sizes.filled
    if "same_person" in shapes:
        made["same_person"] = made["mask"][clip] & (torch.rand(shapes["same_person"], generator=random) < 0.5)
    for name, shape in shapes.items():
        if name not in made:
            made[name] = torch.randn(shape, generator=random)
    if "window" in shapes:
        made["window"] = made["window"].relu() * made["mask"][:, :, None]
    return tuple(made[name] for name in program.inputs)


class _Part(nn.Module):
    """A part of a detector, in evaluation mode as the detector is."""

    def __init__(self, detector: ActionDetector) -> None:
        super().__init__()
        self.detector = detector
        self.eval()


class _Features(_Part):
    def forward(self, clips: Tensor, rois: Tensor) -> tuple[Tensor]:
        return (self.detector.short_term_features(clips, rois),)


class _ScoresAlone(_Part):
    def forward(self, features: Tensor) -> tuple[Tensor]:
        return (self.detector.classify(features, None, features.new_zeros(features.shape[0], dtype=torch.int64)),)


class _ScoresOfWindow(_Part):
    def forward(
        self, features: Tensor, clip_of_roi: Tensor, window: Tensor, mask: Tensor, same_person: Tensor | None = None
    ) -> tuple[Any, ...]:
        given = (features, BankWindow(window, mask, same_person=same_person), clip_of_roi)
        if not self.detector.attends:
            return (self.detector.classify(*given),)
        logits, attention = self.detector.classify(*given, return_attention=True)
        return logits, attention.weights, attention.empty


class _WholeAlone(_Part):
    def forward(self, clips: Tensor, rois: Tensor) -> tuple[Tensor, Tensor]:
        features = self.detector.short_term_features(clips, rois)
        return self.detector.classify(features, None, rois[:, 0].long()), features


class _WholeWithWindow(_Part):
    def forward(
        self, clips: Tensor, rois: Tensor, window: Tensor, mask: Tensor, same_person: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        features = self.detector.short_term_features(clips, rois)
        given = BankWindow(window, mask, same_person=same_person)
        return self.detector.classify(features, given, rois[:, 0].long()), features
