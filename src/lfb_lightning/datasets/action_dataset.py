"""The seam at which a data set says which moments of which videos are used for what, and what happens there.

A data set of one's own is a class with `split(name)`; what that returns has the attributes and methods of `ActionSplit`.
Nothing has to be inherited. AVA's is `lfb_lightning.datasets.AvaDataset`; `examples/extension` has another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float64

from lfb_lightning.clock import Clock
from lfb_lightning.metrics.evaluator import Evaluator
from lfb_lightning.structures import Item, Keyframe, Proposals
from lfb_lightning.video.protocol import Video


class LabeledRegions(NamedTuple):
    """The regions of a training clip.

    Args:
        keyframe: the moment around which the clip is read; it may be drawn anew each time.
        boxes: normalized xyxy; a region that is the whole frame is `[0, 0, 1, 1]`.
        scores: the detector's confidences; 1 for annotated regions.
        labels: which score columns each region shows.
    """

    keyframe: Keyframe
    boxes: Float64[np.ndarray, "P 4"]
    scores: Float64[np.ndarray, " P"]
    labels: Bool[np.ndarray, "P A"]


class ScoreColumns(NamedTuple):
    """What a detector's score columns are.

    Args:
        number: of columns, background included.
        has_background: whether column 0 means "no action", and is neither trained nor evaluated.
    """

    number: int
    has_background: bool = False


@runtime_checkable
class ActionSplit(Protocol):
    """One split of a data set, such as train or val; it is copied to the loader's worker processes."""

    @property
    def name(self) -> str:
        """Name of the split."""
        ...

    def columns(self) -> ScoreColumns:
        """The score columns of a detector for this data set."""
        ...

    @property
    def clock(self) -> Clock:
        """What `Keyframe.timestamp` counts: AVA seconds, a data set annotated per frame its frames."""
        ...

    @property
    def bank_threshold(self) -> float:
        """Least confidence of the regions in the bank; 0 where there is no such thing."""
        ...

    def video(self, video_id: str) -> Video:
        """Open a video; raises InputError where there is none."""
        ...

    def training_items(self) -> Sequence[Item]:
        """The items of an epoch."""
        ...

    def training_regions(self, item: Item, generator: torch.Generator) -> LabeledRegions:
        """Regions and labels of an item; `generator` is for whatever is drawn, and depends on seed, epoch and item."""
        ...

    def evaluation_items(self) -> Sequence[Item]:
        """What is scored; several views of one item are entries of one number."""
        ...

    def evaluation_regions(self, item: Item) -> Proposals:
        """The regions that are scored there."""
        ...

    def bank_keyframes(self, choice: str) -> Sequence[Keyframe]:
        """The moments that the bank describes, each once; `choice` is the key `bank.keyframes`."""
        ...

    def bank_regions(self, keyframe: Keyframe, choice: str) -> Proposals:
        """The regions whose features the bank stores there."""
        ...

    def evaluator(self, *, action_threshold: float | None) -> Evaluator:
        """Make an evaluator of this split; a score of at most `action_threshold` is no detection (None: all are)."""
        ...

    def describe(self) -> Mapping[str, object]:
        """What else decides the pixels of a clip, for the bank's manifest."""
        ...


@runtime_checkable
class StoredLabels(Protocol):
    """What a split offers beside, if it can be trained from the bank's own regions (`data.short_term=bank`)."""

    def stored_labels(
        self, keyframe: Keyframe, boxes: Float64[np.ndarray, "P 4"]
    ) -> tuple[Bool[np.ndarray, "P A"], Bool[np.ndarray, " P"]]:
        """Labels of stored regions, and which of them take part in training."""
        ...

    def stored_scored(self, scores: Float64[np.ndarray, " P"]) -> Bool[np.ndarray, " P"]:
        """Which of the stored regions are scored in evaluation."""
        ...


@runtime_checkable
class ItemActions(Protocol):
    """What a split offers beside, if its items can be drawn by how rare their actions are (`data.class_balance`)."""

    def item_actions(self, items: Sequence[Item]) -> Bool[np.ndarray, "N A"]:
        """Which score columns each item shows."""
        ...


@runtime_checkable
class ActionDataset(Protocol):
    """A data set with named splits."""

    def split(self, name: str) -> ActionSplit:
        """One of its splits, its tables read when first needed.

        Raises:
            InputError: There is no such split.
        """
        ...
