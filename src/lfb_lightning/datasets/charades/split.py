"""One split of Charades: an item is a video, and its only region the whole frame of a clip."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float64

from lfb_lightning.clips.frame_sampling import center_range, frames_around, segment_centers
from lfb_lightning.clock import Clock
from lfb_lightning.datasets.action_dataset import LabeledRegions, ScoreColumns
from lfb_lightning.datasets.charades.checks import check_tables
from lfb_lightning.datasets.charades.settings import CharadesSettings
from lfb_lightning.datasets.charades.tables import CharadesTables
from lfb_lightning.datasets.checks.findings import SplitReport
from lfb_lightning.datasets.whole_clips import WHOLE_FRAME, WholeClips
from lfb_lightning.metrics.video_evaluator import VideoMeanAP
from lfb_lightning.structures import Item, Keyframe
from lfb_lightning.video.protocol import Video


class CharadesSplit(WholeClips):
    """One split of a data set in the formats of Charades; an `ActionSplit`.

    Its training and bank follow the paper's code: a clip per video and epoch around a frame that is drawn, labeled with what
    happens within it; an entry of the bank every `bank_step` frames.

    Args:
        data: Where its files lie and which clips are read.
        name: Name of the split: train, val or test.
    """

    def __init__(self, data: CharadesSettings, name: str) -> None:
        self.data = data
        self.name = name
        self.tables = CharadesTables(data, name)
        self._stored: dict[Keyframe, Bool[np.ndarray, " A"]] = {}

    def columns(self) -> ScoreColumns:
        """Give a column per class; none of them is background."""
        return ScoreColumns(len(self.tables.names), names=self.tables.names, exclusive=False)

    @property
    def clock(self) -> Clock:
        """Count frames of the data set's rate."""
        return self.data.clock

    @property
    def bank_spacing(self) -> tuple[int, int]:
        """Frames from one entry of the bank to the next, and the first one's number."""
        return self.data.bank_step, self.data.bank_step - 1

    def video(self, video_id: str) -> Video:
        """Open a video; raises InputError where there is none."""
        return self.data.library.open(video_id)

    def training_items(self) -> Sequence[Item]:
        """List the videos with an action; the frame around which a clip is read is drawn by `training_regions`."""
        return [self._item(number, self._middle(number)) for number in np.flatnonzero(self.tables.is_labeled).tolist()]

    def training_regions(self, item: Item, generator: torch.Generator) -> LabeledRegions:
        """Draw a clip of a video, and label it with what happens from its first to its last frame.

        Args:
            item: One of `training_items`.
            generator: Draws the frame around which the clip is read.
        """
        first, last = center_range(self.tables.num_frames(item.number), self.data.span)
        center = int(torch.randint(first, last + 1, (), generator=generator))
        keyframe = item.keyframe._replace(timestamp=center)
        return LabeledRegions(keyframe, WHOLE_FRAME, np.ones(1), self._labels_around(item.number, center)[None])

    def evaluation_items(self) -> Sequence[Item]:
        """List the middles of `val_segments` equal parts of each evaluated video."""
        return self._segments(self.data.val_segments)

    def test_items(self) -> Sequence[Item]:
        """List the middles of `test_segments` equal parts of each evaluated video."""
        return self._segments(self.data.test_segments)

    def bank_keyframes(self, choice: str) -> Sequence[Keyframe]:
        """List every `bank_step`th frame of every video, those without an action too.

        Args:
            choice: Any word: there is nothing to choose.
        """
        return [
            Keyframe(video.video_id, frame)
            for number, video in enumerate(self.tables.videos)
            for frame in self._bank_frames(number)
        ]

    def stored_items(self, *, training: bool) -> Sequence[Item]:
        """List the entries of the bank in the videos that are trained or evaluated.

        Paper: training clips lie anywhere and are augmented. Here: they are the bank's, as those that are scored.

        Args:
            training: Whether those that are trained.
        """
        numbers = np.flatnonzero(self.tables.is_labeled).tolist() if training else self._evaluated()
        return [self._item(number, frame) for number in numbers for frame in self._bank_frames(number)]

    def stored_labels(
        self, keyframe: Keyframe, boxes: Float64[np.ndarray, "P 4"]
    ) -> tuple[Bool[np.ndarray, "P A"], Bool[np.ndarray, " P"]]:
        """Label an entry of the bank with what happens from the first to the last frame of its clip.

        Args:
            keyframe: Where it is.
            boxes: The whole frame, as the bank stores it.

        Returns:
            Its labels, and that it takes part in training.
        """
        if keyframe not in self._stored:  # asked for once an epoch
            self._stored[keyframe] = self._labels_around(self._numbers[keyframe.video_id], keyframe.timestamp)
        labels = self._stored[keyframe]
        return np.repeat(labels[None], len(boxes), axis=0), np.ones(len(boxes), dtype=bool)

    def evaluator(self, *, action_threshold: float | None) -> VideoMeanAP:
        """Make an evaluator by the mAP over videos.

        Args:
            action_threshold: Of no use: a video's rank is what counts.
        """
        return VideoMeanAP(
            video_ids=[video.video_id for video in self.tables.videos],
            labels=self.tables.labels if self.tables.is_labeled.any() else None,
            names=self.tables.names,
            ties=self.data.ties,
            unlabeled=self.data.unlabeled,
            groups=self.data.class_groups,
            reads_logits=self.data.evaluated == "logits",
        )

    def check(self) -> SplitReport:
        """Count what the split's files hold, and say what may be wrong."""
        return check_tables(self.tables)

    def used_keyframes(self) -> Sequence[Keyframe]:
        """List the middles of `test_segments` equal parts of every video, sorted by video and time."""
        numbers = range(len(self.tables.videos))
        return sorted({item.keyframe for item in self._segments_of(numbers, self.data.test_segments)})

    def describe(self) -> dict[str, object]:
        """Describe what decides the pixels of a clip beside how it is cut, for the bank's manifest."""
        return {"source": self.data.source}

    def item_actions(self, items: Sequence[Item]) -> Bool[np.ndarray, "N A"]:
        """Say which classes happen in each of N videos."""
        return np.asarray(self.tables.labels[[item.number for item in items]])

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {video.video_id: number for number, video in enumerate(self.tables.videos)}

    def _bank_frames(self, number: int) -> range:
        return range(self.data.bank_step - 1, self.tables.num_frames(number), self.data.bank_step)

    def _labels_around(self, number: int, center: int) -> Bool[np.ndarray, " A"]:
        """Say which classes happen in the clip around a frame, from its first to its last one."""
        frames = frames_around(
            center,
            num_frames=self.tables.num_frames(number),
            length=self.data.num_frames,
            stride=self.data.frame_stride,
        )
        return self.tables.clip_labels(number, int(frames[0]), int(frames[-1]))

    def _evaluated(self) -> list[int]:
        everyone = self.data.unlabeled == "negative" or not self.tables.is_labeled.any()
        videos = np.ones_like(self.tables.is_labeled) if everyone else self.tables.is_labeled
        return np.flatnonzero(videos).tolist()

    def _segments(self, segments: int) -> list[Item]:
        return self._segments_of(self._evaluated(), segments)

    def _segments_of(self, numbers: Sequence[int], segments: int) -> list[Item]:
        return [
            self._item(number, center)
            for number in numbers
            for center in segment_centers(self.tables.num_frames(number), segments)
        ]

    def _middle(self, number: int) -> int:
        return round(self.tables.videos[number].length * self.data.fps) // 2

    def _item(self, number: int, frame: int) -> Item:
        return Item(number, Keyframe(self.tables.videos[number].video_id, frame))
