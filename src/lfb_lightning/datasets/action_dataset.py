"""The seam of data sets: which moments of which videos are used for what, and what happens there.

A data set of one's own is a class with `split(name)`, which returns something with the attributes and methods of
`ActionSplit`. Nothing has to be inherited. AVA's is `lfb_lightning.datasets.AvaDataset`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64

from lfb_lightning.clips.sampling import ClipPart
from lfb_lightning.datasets.bank_split import BankSplit
from lfb_lightning.datasets.checks.findings import SplitReport
from lfb_lightning.metrics.evaluator import Evaluator
from lfb_lightning.structures import Item, Keyframe, Proposals
from lfb_lightning.video.library import Library


class LabeledRegions(NamedTuple):
    """The regions of a training clip.

    Attributes:
        keyframe: The moment around which the clip is read; a data set may draw it anew each time.
        boxes: Normalized xyxy; a region that is the whole frame is `[0, 0, 1, 1]`.
        scores: The detector's confidences; 1 for annotated regions.
        labels: Which score columns each region shows.
        part: What the clip does not leave; None: any frame of the video may be shown.
    """

    keyframe: Keyframe
    boxes: Float64[np.ndarray, "P 4"]
    scores: Float64[np.ndarray, " P"]
    labels: Bool[np.ndarray, "P A"]
    part: ClipPart | None = None


class ScoreColumns(NamedTuple):
    """What the score columns of a detector for a data set are.

    Attributes:
        number: How many there are, a background column included.
        has_background: Whether column 0 means "no action", and is neither trained nor evaluated.
        names: Names of the actions by column, for people; None where the data set has none.
        blocks: How many columns each kind of label has, in their order, such as 97 verbs and 300 nouns, of which a region
            shows one each; None where the columns are of one kind.
        exclusive: Whether a region shows exactly one column of each kind, True, or any number of them, False; a loss that
            takes its labels otherwise is refused. None: not said.
    """

    number: int
    has_background: bool = False
    names: Mapping[int, str] | None = None
    blocks: Mapping[str, int] | None = None
    exclusive: bool | None = None


@runtime_checkable
class ActionSplit(BankSplit, Protocol):
    """One split of a data set, such as train or val."""

    def columns(self) -> ScoreColumns:
        """Say what the score columns of a detector for this data set are."""
        ...

    def training_items(self) -> Sequence[Item]:
        """List the items of a training epoch."""
        ...

    def training_regions(self, item: Item, generator: torch.Generator) -> LabeledRegions:
        """Give the regions and labels of a training item.

        Args:
            item: One of `training_items`.
            generator: Source of whatever is drawn; it depends on seed, epoch and item.
        """
        ...

    def evaluation_items(self) -> Sequence[Item]:
        """List what is scored; several views of one item are entries with one number."""
        ...

    def evaluation_regions(self, item: Item) -> Proposals:
        """Give the regions of an evaluation item that are scored."""
        ...

    def evaluator(self, *, action_threshold: float | None) -> Evaluator:
        """Make an evaluator of this split.

        Args:
            action_threshold: A score of at most this is no detection; None: every score is one.
        """
        ...


@runtime_checkable
class StoredLabels(Protocol):
    """What a split may offer too: labels of the bank's own regions, to train on them (`data.short_term=bank`)."""

    def stored_labels(
        self, keyframe: Keyframe, boxes: Float64[np.ndarray, "P 4"]
    ) -> tuple[Bool[np.ndarray, "P A"], Bool[np.ndarray, " P"]]:
        """Label stored regions.

        Args:
            keyframe: Where they are.
            boxes: Normalized xyxy, as the bank stores them.

        Returns:
            Their labels, and which of them take part in training.
        """
        ...

    def stored_scored(self, scores: Float[np.ndarray, " P"]) -> Bool[np.ndarray, " P"]:
        """Choose the stored regions that are scored in evaluation.

        Args:
            scores: Their confidences, as the bank stores them.
        """
        ...


@runtime_checkable
class ItemActions(Protocol):
    """What a split may offer too: the actions of its items, to draw rare ones more often (`data.class_balance`)."""

    def item_actions(self, items: Sequence[Item]) -> Bool[np.ndarray, "N A"]:
        """Say which score columns each of N items shows."""
        ...


@runtime_checkable
class Checkable(ActionSplit, Protocol):
    """A split that offers what `lfb-check` looks at beside what every split does."""

    def check(self) -> SplitReport:
        """Compare the split's files with each other, and count what they hold.

        Raises:
            InputError: A file cannot be read at all.
        """
        ...

    def used_keyframes(self) -> Sequence[Keyframe]:
        """List every moment that may be read, sorted by video and time."""
        ...

    def annotated_boxes(self, keyframe: Keyframe) -> Float64[np.ndarray, "P 4"]:
        """Give the annotated regions at a moment, to be drawn: normalized xyxy, none where nobody has annotated."""
        ...


@runtime_checkable
class Annotated(ActionSplit, Protocol):
    """A split that says where it is annotated, for `lfb-detect` to look for persons there."""

    def annotated_keyframes(self) -> Sequence[Keyframe]:
        """List the annotated moments that may be used, sorted by video and time.

        Raises:
            InputError: There are none; the message says what to do.
        """
        ...


@runtime_checkable
class Cacheable(Protocol):
    """What a data set may offer too: a frame cache, written by `lfb-cache`, from which it reads with `data.source=cache`.

    One that has none may have `why_no_cache`, a sentence for the user with what to do instead.
    """

    @property
    def videos(self) -> Library:
        """Where its videos and its cache lie."""
        ...

    def video_ids(self, split: str) -> Sequence[str]:
        """List the videos of a split, each once."""
        ...

    def clip_moments(self, video_id: str) -> Sequence[float]:
        """List the moments of a video, in seconds since its first frame, around which clips may be read."""
        ...

    def describe_moments(self) -> Mapping[str, object]:
        """Describe what decides `clip_moments`: a cache file that was made for others is made anew."""
        ...


@runtime_checkable
class ActionDataset(Protocol):
    """A data set with named splits."""

    def split(self, name: str) -> ActionSplit:
        """Return one of the splits; its tables are read when they are first needed.

        Args:
            name: Such as train, val or test.

        Raises:
            InputError: There is no such split.
        """
        ...
