"""Measures the parts of a joined split apart: each by its own evaluator, on the detections in its own videos."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lfb_lightning.metrics.evaluator import Evaluator
from lfb_lightning.structures import Detections


class JoinedEvaluator(nn.Module):
    """Evaluators of several parts as one; an `Evaluator`.

    A module, so that those of its parts that are modules travel to the device whose processes exchange their scores.

    Args:
        parts: One for each part. The figures of the first keep their names.
        labels: Names of the parts; the figures of the others begin with theirs.
        place: Which part a video is in, by the video's id.
    """

    def __init__(self, parts: Sequence[Evaluator], labels: Sequence[str], place: Callable[[str], int]) -> None:
        super().__init__()
        self._modules_of_parts = nn.ModuleList([part for part in parts if isinstance(part, nn.Module)])
        self._parts = tuple(parts)
        self._prefixes = ["", *(f"{label}_" for label in labels[1:])]
        self._place = place

    @property
    def figures(self) -> Sequence[str]:
        """Name the figures of all parts."""
        pairs = zip(self._parts, self._prefixes, strict=True)
        return [f"{prefix}{name}" for part, prefix in pairs for name in part.figures]

    def update(self, detections: Detections) -> None:
        """Give each part the detections in its videos."""
        places = [self._place(keyframe.video_id) for keyframe in detections.keyframes]
        for place, part in enumerate(self._parts):  # also where there are none: no part waits for its first batch
            chosen = [index for index, one in enumerate(places) if one == place]
            part.update(_taken(detections, chosen, parts=len(self._parts)))

    def compute(self) -> Mapping[str, float]:
        """Evaluate every part, and give the figures of all of them under the names in `figures`."""
        figures: dict[str, float] = {}
        for part, prefix in zip(self._parts, self._prefixes, strict=True):
            figures |= {f"{prefix}{name}": value for name, value in part.compute().items()}
        return figures

    def summary(self) -> dict[str, Any]:
        """Describe the first part's evaluation, and the others' under their labels."""
        described = self._parts[0].summary()
        for part, prefix in zip(self._parts[1:], self._prefixes[1:], strict=True):
            described[prefix.rstrip("_")] = part.summary()
        return described

    def write(self, folder: Path) -> Sequence[Path]:
        """Write the first part's files into the folder, and the others' into folders below it."""
        written: list[Path] = []
        for part, prefix in zip(self._parts, self._prefixes, strict=True):
            own = folder / prefix.rstrip("_")
            own.mkdir(exist_ok=True)
            written += part.write(own)
        return written


def own_number(number: int, *, parts: int) -> int:
    """Give the number that an item of a joined split has in its part: they are dealt to the parts like cards.

    Args:
        number: In the joined split.
        parts: How many there are.
    """
    return number // parts


def _taken(detections: Detections, chosen: list[int], *, parts: int) -> Detections:
    """Keep the detections of some of a batch's keyframes, whose items get the numbers that they have in their part."""
    device = detections.clip_of_roi.device
    number = torch.full((len(detections.keyframes),), -1, device=device, dtype=detections.clip_of_roi.dtype)
    number[torch.tensor(chosen, device=device, dtype=torch.long)] = torch.arange(
        len(chosen), device=device, dtype=number.dtype
    )
    moved = number[detections.clip_of_roi.long()]
    kept = moved >= 0
    return replace(
        detections,
        keyframes=[detections.keyframes[index] for index in chosen],
        clip_of_roi=moved[kept],
        boxes=detections.boxes[kept],
        scores=detections.scores[kept],
        items=tuple(own_number(detections.items[index], parts=parts) for index in chosen) if detections.items else (),
    )
