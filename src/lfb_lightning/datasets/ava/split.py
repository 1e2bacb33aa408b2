"""One split of a data set in AVA's formats, as training, testing and extraction use it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64

from lfb_lightning.ava.keyframe_rows import ItemList
from lfb_lightning.boxes import iou_matrix
from lfb_lightning.clock import Clock
from lfb_lightning.datasets.action_dataset import LabeledRegions, ScoreColumns
from lfb_lightning.datasets.ava.assignment import sample_persons
from lfb_lightning.datasets.ava.bank_keyframes import BankKeyframes
from lfb_lightning.datasets.ava.checks import check_tables
from lfb_lightning.datasets.ava.evaluation import AvaEvaluator
from lfb_lightning.datasets.ava.settings import AvaSettings
from lfb_lightning.datasets.ava.tables import AvaTables
from lfb_lightning.datasets.checks.findings import SplitReport
from lfb_lightning.errors import InputError
from lfb_lightning.structures import GroundTruth, Item, Keyframe, Proposals
from lfb_lightning.video.protocol import Video


class AvaSplit:
    """One split of a data set in AVA's formats; an `ActionSplit`, whose regions are persons and whose items are keyframes.

    Args:
        data: Where its files lie and which of its seconds and persons are used.
        name: Name of the split: train, val, test or another.
        tables: Its files as tables; None: as they are in AVA's formats.
    """

    def __init__(self, data: AvaSettings, name: str, tables: AvaTables | None = None) -> None:
        self.data = data
        self.name = name
        self.tables = AvaTables(data, name) if tables is None else tables

    def columns(self) -> ScoreColumns:
        """Give one column per action id of the label map, the largest plus one in all; AVA's ids start at 1."""
        label_map = self.tables.label_map
        whole = label_map.whole or label_map
        return ScoreColumns(label_map.num_columns, has_background=label_map.has_background, names=whole.names)

    @property
    def clock(self) -> Clock:
        """Count ticks of `ticks_per_second`, from `origin_second` at a video's first frame."""
        return self.data.clock

    @property
    def bank_threshold(self) -> float:
        """Least confidence of the proposals whose features the bank stores."""
        return self.data.bank_threshold

    def video(self, video_id: str) -> Video:
        """Open a video; raises InputError where there is none."""
        return self.tables.videos.open(video_id)

    def training_items(self) -> Sequence[Item]:
        """List the annotated keyframes on a used second with at least one listed action."""
        _ = self.tables.proposals  # read before workers are started, not in each of them
        return ItemList(self.tables.training_keyframes())

    def training_regions(self, item: Item, generator: torch.Generator | None = None) -> LabeledRegions:
        """Give the annotated persons of a keyframe (score 1) and the proposals that match them, labeled.

        A proposal takes the actions of the box that it overlaps most, if by `match_iou` at least; one that matches nobody
        would carry no loss (in the LFB authors' code and in mmaction2) and is left out. With `data.assign=mmaction2` the
        assigner and sampler of mmaction2 decide, which keeps unmatched proposals.

        Args:
            item: An item of `training_items`.
            generator: Draws from more than 32 persons with `data.assign=mmaction2`.
        """
        truth = self.tables.annotations[item.keyframe]
        proposals = self.tables.proposals.above(item.keyframe, self.data.train_threshold)
        scores = np.concatenate([np.ones(len(truth)), proposals.scores])
        if self.data.assign == "mmaction2":
            persons = sample_persons(truth, proposals.boxes, match_iou=self.data.match_iou, generator=generator)
            return LabeledRegions(item.keyframe, persons.boxes, scores[persons.source], persons.labels)
        labels, matched = self._match(truth, proposals.boxes)
        kept = np.concatenate([np.ones(len(truth), dtype=bool), matched])
        return LabeledRegions(
            keyframe=item.keyframe,
            boxes=np.concatenate([truth.boxes, proposals.boxes])[kept],
            scores=scores[kept],
            labels=np.concatenate([truth.labels, labels])[kept],
        )

    def _match(self, truth: GroundTruth, boxes: Float64[np.ndarray, "P 4"]) -> tuple[np.ndarray, np.ndarray]:
        """Label boxes by their best overlapping ground truth, `[P, A]`, and say which overlap it by `match_iou`."""
        if len(truth) == 0 or len(boxes) == 0:
            return np.zeros((len(boxes), truth.labels.shape[1]), dtype=bool), np.zeros(len(boxes), dtype=bool)
        iou = iou_matrix(boxes, truth.boxes)
        return truth.labels[iou.argmax(axis=1)], iou.max(axis=1) >= self.data.match_iou

    def evaluation_items(self) -> Sequence[Item]:
        """List the keyframes on a used second with a proposal of at least `eval_threshold`."""
        return ItemList(self.tables.proposal_keyframes(self.data.eval_threshold))

    def evaluation_regions(self, item: Item) -> Proposals:
        """Give a keyframe's proposals of at least `eval_threshold`."""
        return self.tables.proposals.above(item.keyframe, self.data.eval_threshold)

    def bank_keyframes(self, choice: str) -> Sequence[Keyframe]:
        """List the moments that the bank describes, sorted by video and time; see `BankKeyframes` for the choices."""
        return BankKeyframes(self.tables, choice).keyframes()

    def bank_regions(self, keyframe: Keyframe, choice: str) -> Proposals:
        """Give the persons whose features the bank stores at a keyframe."""
        return BankKeyframes(self.tables, choice).persons(keyframe)

    def evaluator(self, *, action_threshold: float | None) -> AvaEvaluator:
        """Make an evaluator by frame-mAP; a score of at most `action_threshold` is no detection (None: all are)."""
        return AvaEvaluator(self.tables, action_threshold=action_threshold)

    def check(self) -> SplitReport:
        """Compare annotations, exclusions and proposals with each other and with the expected counts."""
        return check_tables(self.tables)

    def used_keyframes(self) -> Sequence[Keyframe]:
        """List the keyframes on a used second that are annotated or have proposals, sorted by video and time."""
        return self.tables.used_keyframes()

    def annotated_keyframes(self) -> Sequence[Keyframe]:
        """List the annotated keyframes on used seconds, sorted by video and time.

        Raises:
            InputError: There are none.
        """
        tables, path = self.tables, self.tables.path(self.data.annotations)
        if not tables.has_annotations:
            raise InputError(
                f"annotations {path}: no such file, so the videos of split {self.name} are not known; set data.annotations, "
                "or look at whole videos: videos=FOLDER."
            )
        found = sorted(tables.annotations.persons.select(tables.used(tables.annotations.persons)))
        if not found:
            raise InputError(
                f"annotations {path}: no keyframe lies on a used second; see data.first_second, data.last_second, "
                "data.key_step."
            )
        return found

    def annotated_boxes(self, keyframe: Keyframe) -> Float64[np.ndarray, "P 4"]:
        """Give the boxes of the annotated persons of a keyframe."""
        return self.tables.annotations[keyframe].boxes if self.tables.has_annotations else np.zeros((0, 4))

    def describe(self) -> dict[str, object]:
        """Describe what decides the pixels of a clip beside how it is cut, for the bank's manifest."""
        return {"source": self.data.source, "origin_second": self.data.origin_second}

    def stored_labels(
        self, keyframe: Keyframe, boxes: Float64[np.ndarray, "P 4"]
    ) -> tuple[Bool[np.ndarray, "P A"], Bool[np.ndarray, " P"]]:
        """Label the bank's persons by the annotated ones that they overlap most.

        Args:
            keyframe: Where they are.
            boxes: Normalized xyxy, as the bank stores them.

        Returns:
            Their labels, and which of them overlap an annotated person by `match_iou`.
        """
        return self._match(self.tables.annotations[keyframe], boxes)

    def stored_scored(self, scores: Float[np.ndarray, " P"]) -> Bool[np.ndarray, " P"]:
        """Choose the bank's persons with a score of at least `eval_threshold`."""
        return scores >= self.data.eval_threshold

    def item_actions(self, items: Sequence[Item]) -> Bool[np.ndarray, "N A"]:
        """Say which actions anybody does on each of N keyframes."""
        shown = [self.tables.annotations[item.keyframe].labels.any(axis=0) for item in items]
        return np.stack(shown) if shown else np.zeros((0, self.columns().number), dtype=bool)
