"""One split of EPIC-Kitchens: an item is a segment, and its only region the whole frame of a clip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float64

from lfb_lightning.clips.frame_sampling import center_range
from lfb_lightning.clips.sampling import ClipPart
from lfb_lightning.clock import Clock
from lfb_lightning.datasets.action_dataset import LabeledRegions, ScoreColumns
from lfb_lightning.datasets.checks.findings import SplitReport
from lfb_lightning.datasets.epic.checks import check_tables
from lfb_lightning.datasets.epic.parts import SegmentParts
from lfb_lightning.datasets.epic.settings import EpicSettings
from lfb_lightning.datasets.epic.stored import StoredSegments
from lfb_lightning.datasets.epic.tables import EpicTables
from lfb_lightning.datasets.whole_clips import WHOLE_FRAME, WholeClips
from lfb_lightning.metrics.segment_evaluator import SegmentAccuracy
from lfb_lightning.structures import Item, Keyframe
from lfb_lightning.video.protocol import Video


class EpicSplit(WholeClips):
    """One split of a data set in the formats of EPIC-Kitchens; an `ActionSplit`.

    Its training and bank follow the paper's code: a clip around a frame that is drawn from a segment, labeled with the
    segment's verb and first noun; an entry of the bank every `bank_step` frames.

    Args:
        data: Where its files lie and which clips are read.
        name: Name of the split: train, val or test.
    """

    def __init__(self, data: EpicSettings, name: str) -> None:
        self.data = data
        self.name = name
        self.tables = EpicTables(data, name)
        self.stored = StoredSegments(self.tables)
        self.parts = SegmentParts(self.tables)

    def columns(self) -> ScoreColumns:
        """Give a column per verb, then one per noun, of the heads that are learned; none of them is background."""
        names = self.tables.names
        several = len(names) > 1
        listed = [f"{head} {name}" if several else name for head, found in names.items() for name in found.values()]
        blocks = {head: len(found) for head, found in names.items()}
        return ScoreColumns(len(listed), names=dict(enumerate(listed)), blocks=blocks, exclusive=True)

    @property
    def clock(self) -> Clock:
        """Count frames of the data set's rate."""
        return self.data.clock

    @property
    def bank_spacing(self) -> tuple[int, int]:
        """Frames from one entry of the bank to the next, and the first one's number."""
        return self.data.bank_step, self.data.bank_step

    def video(self, video_id: str) -> Video:
        """Open a video; raises InputError where there is none."""
        return self.tables.video(video_id)

    def training_items(self) -> Sequence[Item]:
        """List the segments; the frame around which a clip is read is drawn by `training_regions`.

        Raises:
            InputError: The split has no labels.
        """
        _ = self.tables.shown
        return self._items(1)

    def training_regions(self, item: Item, generator: torch.Generator) -> LabeledRegions:
        """Draw a clip of a segment.

        Args:
            item: One of `training_items`.
            generator: Draws the frame around which the clip is read: any of the segment, its last one included.
        """
        if self._in_parts:
            part, center = self.parts.drawn(item.number, generator)
            return self._labeled(item, center, part)
        first, last = self._centers(item.number)
        center = int(torch.randint(first, last + 1, (), generator=generator))
        return self._labeled(item, center, None)

    def clip_part(self, item: Item) -> ClipPart | None:
        """Say that a clip does not leave its segment, where that is so (`clips_inside` with evenly spaced frames)."""
        return self.parts.around(item.number, item.keyframe.timestamp) if self._in_parts else None

    def evaluation_items(self) -> Sequence[Item]:
        """List the middles of `val_clips` equal parts of each segment."""
        return self._items(self.data.val_clips)

    def test_items(self) -> Sequence[Item]:
        """List the middles of `test_clips` equal parts of each segment, or with `test_places=beginnings` their beginnings."""
        return self._items(self.data.test_clips, halves=int(self.data.test_places == "middles"))

    def bank_keyframes(self, choice: str) -> Sequence[Keyframe]:
        """List every `bank_step`th frame of every video with a segment, up to its end; the first frame is none of them.

        Args:
            choice: Any word: there is nothing to choose.
        """
        step = self.data.bank_step
        return [
            Keyframe(video_id, frame)
            for video_id in self.tables.video_ids
            for frame in range(step, self.tables.num_frames(video_id) + 1, step)
        ]

    def stored_items(self, *, training: bool) -> Sequence[Item]:
        """List entries of the bank within segments, or for each segment the one nearest to its middle.

        Args:
            training: Whether all within segments.
        """
        return self.stored.items(training=training)

    def stored_labels(
        self, keyframe: Keyframe, boxes: Float64[np.ndarray, "P 4"]
    ) -> tuple[Bool[np.ndarray, "P A"], Bool[np.ndarray, " P"]]:
        """Label an entry of the bank, or another moment, with the verb and noun of the segment that it shows.

        Args:
            keyframe: Where it is.
            boxes: The whole frame, as the bank stores it.

        Returns:
            Its labels, and whether it takes part in training: where there is a segment.
        """
        owner = self.stored.owner(keyframe)
        if owner is None:
            return np.zeros((len(boxes), self.tables.shown.shape[1]), dtype=bool), np.zeros(len(boxes), dtype=bool)
        shown = self.tables.shown[owner]
        return np.repeat(shown[None], len(boxes), axis=0), np.ones(len(boxes), dtype=bool)

    def evaluator(self, *, action_threshold: float | None) -> SegmentAccuracy:
        """Make an evaluator by the accuracy over segments.

        Args:
            action_threshold: Of no use: a class's rank is what counts.
        """
        tables = self.tables
        labeled = tables.labels is not None
        return SegmentAccuracy(
            segment_ids=[one.segment_id for one in tables.segments],
            heads={head: len(names) for head, names in tables.names.items()},
            labels=tables.labels,
            participants=[one.participant for one in tables.segments],
            tail=tables.tail if labeled else None,
            unseen=tables.unseen if labeled else None,
            prior=tables.prior() if labeled else None,
        )

    def check(self) -> SplitReport:
        """Count what the split's files hold, and say what may be wrong."""
        return check_tables(self.tables)

    def used_keyframes(self) -> Sequence[Keyframe]:
        """List the middles of all segments, sorted by video and time."""
        return sorted({item.keyframe for item in self._items(1)})

    def describe(self) -> dict[str, object]:
        """Describe what decides the pixels of a clip beside how it is cut, for the bank's manifest."""
        rates = {"frames_fps": self.data.frames_fps} if self.data.source == "frames" else {}
        return {"source": self.data.source, **rates}

    def item_actions(self, items: Sequence[Item]) -> Bool[np.ndarray, "N A"]:
        """Say which score columns each of N segments shows."""
        return np.asarray(self.tables.shown[[item.number for item in items]])

    @property
    def _in_parts(self) -> bool:
        return self.data.clips_inside and self.data.frame_spacing == "even"

    def _labeled(self, item: Item, center: int, part: ClipPart | None) -> LabeledRegions:
        keyframe = item.keyframe._replace(timestamp=center)
        return LabeledRegions(keyframe, WHOLE_FRAME, np.ones(1), self.tables.shown[item.number][None], part)

    def _items(self, clips: int, *, halves: int = 1) -> list[Item]:
        """The middles of equal parts of each segment (`halves` of a part behind its beginning), those of one frame once."""
        found = []
        for number, segment in enumerate(self.tables.segments):
            first, last = self._centers(number)
            moments = dict.fromkeys(
                first + (last - first) * (2 * part + halves) // (2 * clips) for part in range(clips)
            )
            found += [Item(number, Keyframe(segment.video_id, moment)) for moment in moments]
        return found

    def _centers(self, number: int) -> tuple[int, int]:
        """The first and the last frame around which a clip of a segment may be read."""
        start, stop = self.tables.frames[number].tolist()
        if not self.data.clips_inside:
            return start, stop
        first, last = center_range(stop - start, self.data.span)
        return start + first, start + last
