"""A split as an object bank sees it: the moments and boxes of a file of objects, in the split's videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lfb_lightning.ava.proposals import ProposalTable
from lfb_lightning.clock import Clock
from lfb_lightning.datasets.bank_split import BankSplit
from lfb_lightning.errors import InputError
from lfb_lightning.persons.object_boxes import ObjectBoxes
from lfb_lightning.structures import Keyframe, Proposals
from lfb_lightning.video.protocol import Video


class ObjectSplit:
    """The objects of a split's videos; a `BankSplit`, whose clock is that of the boxes.

    Args:
        split: Any split of a data set, whose bank would be of the same videos.
        boxes: The objects.

    Raises:
        InputError: The boxes cannot be read.
    """

    bank_entries = "objects"

    def __init__(self, split: BankSplit, boxes: ObjectBoxes) -> None:
        self._split = split
        self._boxes = boxes
        self._table: ProposalTable = boxes.read(split.name)

    @property
    def name(self) -> str:
        """The split's name."""
        return self._split.name

    @property
    def clock(self) -> Clock:
        """What the timestamps of the boxes count."""
        return self._boxes.clock

    @property
    def bank_threshold(self) -> float:
        """Least score of an object."""
        return self._boxes.threshold

    def video(self, video_id: str) -> Video:
        """Open a video; raises InputError where there is none."""
        return self._split.video(video_id)

    def bank_keyframes(self, choice: str) -> Sequence[Keyframe]:
        """List the moments with an object, in the videos of the split's own bank.

        Args:
            choice: Value of the key `bank.keyframes`, by which the split chooses its videos.

        Raises:
            InputError: There is none.
        """
        wanted = {keyframe.video_id for keyframe in self._split.bank_keyframes(choice)}
        named = zip(self._table.keyframes, self._table.best_scores, strict=True)
        found = [one for one, best in named if one.video_id in wanted and best >= self._boxes.threshold]
        if not found:
            raise InputError(
                f"objects.boxes.file {self._boxes.file}: no object of a score of {self._boxes.threshold:g} or more in the "
                f"{len(wanted)} videos of split {self.name}; are the videos named as in the data set?"
            )
        return found

    def bank_regions(self, keyframe: Keyframe, choice: str) -> Proposals:
        """Give the objects of a moment, best score first."""
        found = self._table.above(keyframe, self._boxes.threshold)
        most = self._boxes.per_moment
        return Proposals(found.boxes[:most], found.scores[:most])

    @property
    def outside_remedy(self) -> str:
        """What to do about objects outside of their video."""
        return (
            f"objects.boxes.file {self._boxes.file} has objects there: are its times those of this cut of the video (set "
            "objects.boxes.origin_second or objects.boxes.rate)? bank.outside_video=clamp gives them the nearest frames."
        )

    def describe(self) -> Mapping[str, object]:
        """Describe what decides the pixels of a clip, as the split does."""
        return self._split.describe()
