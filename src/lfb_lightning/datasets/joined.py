"""Several splits as one: their items, their moments of the bank and their videos, side by side.

The parts keep what they are: each is asked about its own videos only, and is measured apart. They share the clock, the score
columns and the bank's threshold.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64

from lfb_lightning.clock import Clock
from lfb_lightning.datasets.action_dataset import (
    Annotated,
    Checkable,
    ItemActions,
    LabeledRegions,
    ScoreColumns,
    StoredLabels,
)
from lfb_lightning.datasets.checks.findings import SplitReport
from lfb_lightning.datasets.joined_evaluation import JoinedEvaluator, own_number
from lfb_lightning.metrics.evaluator import Evaluator
from lfb_lightning.structures import Item, Keyframe, Proposals
from lfb_lightning.video.protocol import Video


@runtime_checkable
class Joinable(Annotated, Checkable, StoredLabels, ItemActions, Protocol):
    """A split with everything that a split may offer, as AVA's has it."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of the splits.

    Args:
        label: Its name among the figures of a report and of an evaluation.
        split: The split.
        holds: Whether a video is one of its videos, by the id.
        notes: Adds to the report of its check what only its maker knows; None: nothing.
    """

    label: str
    split: Joinable
    holds: Callable[[str], bool]
    notes: Callable[[SplitReport], None] | None = None


class JoinedSplit:
    """One split made of others; an `ActionSplit`. The first part's figures are the main ones.

    Args:
        name: Its name, the folder of its bank.
        parts: The splits, of which each holds videos of its own.
        bank_spacing: See `SpacedBank`.

    Raises:
        ValueError: The parts count time, or number actions, in different ways.
    """

    def __init__(self, name: str, parts: Sequence[Part], *, bank_spacing: tuple[int, int]) -> None:
        self.name = name
        self.parts = tuple(parts)
        self.bank_spacing = bank_spacing
        ways = {(part.split.clock, part.split.bank_threshold) for part in self.parts}
        if len(ways) != 1:
            raise ValueError(f"the parts of {name} differ in their clocks or the bank's thresholds: {ways}")

    def columns(self) -> ScoreColumns:
        """Say what the score columns are; they are the same for all parts."""
        return self._first.columns()

    @property
    def clock(self) -> Clock:
        """The clock by which every part counts its ticks."""
        return self._first.clock

    @property
    def bank_threshold(self) -> float:
        """Least confidence of the regions in the bank, in all parts."""
        return self._first.bank_threshold

    def video(self, video_id: str) -> Video:
        """Open a video of the part that holds it."""
        return self._of(video_id).video(video_id)

    def training_items(self) -> Sequence[Item]:
        """List the training items of all parts, one part after the other."""
        return self._numbered([part.split.training_items() for part in self.parts])

    def training_regions(self, item: Item, generator: torch.Generator) -> LabeledRegions:
        """Give the regions and labels of a training item."""
        return self._of(item.keyframe.video_id).training_regions(self._own(item), generator)

    def evaluation_items(self) -> Sequence[Item]:
        """List what is scored in all parts."""
        return self._numbered([part.split.evaluation_items() for part in self.parts])

    def evaluation_regions(self, item: Item) -> Proposals:
        """Give the regions of an evaluation item that are scored."""
        return self._of(item.keyframe.video_id).evaluation_regions(self._own(item))

    def bank_keyframes(self, choice: str) -> Sequence[Keyframe]:
        """List the moments that the bank describes in all parts; a part may have none."""
        return [keyframe for part in self.parts for keyframe in part.split.bank_keyframes(choice)]

    def bank_regions(self, keyframe: Keyframe, choice: str) -> Proposals:
        """Give the regions whose features the bank stores at a moment."""
        return self._of(keyframe.video_id).bank_regions(keyframe, choice)

    def evaluator(self, *, action_threshold: float | None) -> Evaluator:
        """Make an evaluator that measures each part apart."""
        made = [part.split.evaluator(action_threshold=action_threshold) for part in self.parts]
        if len(made) == 1:
            return made[0]
        return JoinedEvaluator(made, [part.label for part in self.parts], self._place)

    def describe(self) -> dict[str, object]:
        """Describe what decides the pixels of a clip: as the first part does, and the others by their labels."""
        others = {part.label: dict(part.split.describe()) for part in self.parts[1:]}
        return {**self._first.describe(), **others}

    def stored_labels(
        self, keyframe: Keyframe, boxes: Float64[np.ndarray, "P 4"]
    ) -> tuple[Bool[np.ndarray, "P A"], Bool[np.ndarray, " P"]]:
        """Label stored regions; see `StoredLabels`."""
        return self._of(keyframe.video_id).stored_labels(keyframe, boxes)

    def stored_scored(self, scores: Float[np.ndarray, " P"]) -> Bool[np.ndarray, " P"]:
        """Choose the stored regions that are scored in evaluation, as the first part does."""
        return self._first.stored_scored(scores)

    def item_actions(self, items: Sequence[Item]) -> Bool[np.ndarray, "N A"]:
        """Say which score columns each of N items shows."""
        places = np.array([self._place(item.keyframe.video_id) for item in items], dtype=np.int64)
        shown = np.zeros((len(items), self.columns().number), dtype=bool)
        for place, part in enumerate(self.parts):
            own = [self._own(items[index]) for index in np.flatnonzero(places == place).tolist()]
            shown[places == place] = part.split.item_actions(own)
        return shown

    def check(self) -> SplitReport:
        """Check every part; the figures of all but the first begin with its label, and counts of actions are sums."""
        report = SplitReport(self.name)
        for number, part in enumerate(self.parts):
            found = part.split.check()
            if part.notes is not None:
                part.notes(found)
            prefix = f"{part.label}_" if number else ""
            report.figures |= {f"{prefix}{name}": value for name, value in found.figures.items()}
            report.findings += found.findings
            report.counted = found.counted if found.classes else report.counted
            for name, count in found.classes.items():
                report.classes[name] = report.classes.get(name, 0) + count
        return report

    def used_keyframes(self) -> Sequence[Keyframe]:
        """List every moment that may be read, sorted by video and time."""
        return sorted(keyframe for part in self.parts for keyframe in part.split.used_keyframes())

    def annotated_keyframes(self) -> Sequence[Keyframe]:
        """List the annotated moments of all parts, sorted by video and time."""
        return sorted(keyframe for part in self.parts for keyframe in part.split.annotated_keyframes())

    def annotated_boxes(self, keyframe: Keyframe) -> Float64[np.ndarray, "P 4"]:
        """Give the annotated regions at a moment."""
        return self._of(keyframe.video_id).annotated_boxes(keyframe)

    @property
    def _first(self) -> Joinable:
        return self.parts[0].split

    def _place(self, video_id: str) -> int:
        return next((place for place, part in enumerate(self.parts) if part.holds(video_id)), 0)

    def _of(self, video_id: str) -> Joinable:
        return self.parts[self._place(video_id)].split

    def _own(self, item: Item) -> Item:
        """Give an item the number that it has in its part."""
        return Item(own_number(item.number, parts=len(self.parts)), item.keyframe)

    def _numbered(self, items: Sequence[Sequence[Item]]) -> list[Item]:
        """Number items anew, so that those of different parts differ and each part's own number can be read off."""
        number = len(self.parts)
        return [Item(one.number * number + place, one.keyframe) for place, own in enumerate(items) for one in own]
