"""Which videos of a split a bank is still without, and which of them are this run's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from lfb_lightning.bank import BankConfig, BankWriter
from lfb_lightning.bank.shard import Shard
from lfb_lightning.datasets.bank_persons import OTHER_PERSONS, persons_asked_for
from lfb_lightning.datasets.bank_split import BankSplit
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Item, Keyframe, Proposals


class BankPlan:
    """What there is to do for a bank.

    Args:
        split: Whose bank is written.
        bank: Which keyframes are chosen.
        writer: Knows which videos are finished.
        shard: Which of the split's videos are this run's.

    Attributes:
        todo: This run's unfinished videos, each with its number of keyframes; empty before `look`.

    Raises:
        InputError: There is no keyframe.
    """

    def __init__(self, split: BankSplit, bank: BankConfig, writer: BankWriter, shard: Shard | None = None) -> None:
        self.split = split
        self.choice = bank.keyframes
        self.writer = writer
        self.shard = shard or Shard()
        self.keyframes: Sequence[Keyframe] = split.bank_keyframes(self.choice)
        self.todo: dict[str, int] = {}
        if not self.keyframes:
            raise InputError(
                f"split {split.name}: no second to extract; see data.first_second, data.last_second, "
                "data.bank_threshold and bank.keyframes."
            )

    @property
    def video_ids(self) -> list[str]:
        """List every video that the finished bank is to hold."""
        return sorted({keyframe.video_id for keyframe in self.keyframes})

    @property
    def own_video_ids(self) -> list[str]:
        """List those of them that are this run's."""
        return self.shard.share(self.video_ids)

    def look(self, agree: Callable[[list[str]], list[str]] = list) -> None:
        """Look which of this run's videos are not finished, and count their keyframes.

        Args:
            agree: Makes all processes of a run take one list, that of the first, since a later look finds more finished.

        Raises:
            InputError: A finished video has other persons or seconds than are asked for now.
        """
        own = self.own_video_ids
        left = [video_id for video_id in own if not self.writer.is_finished(video_id)]
        self._refuse_other_persons(set(own) - set(left))
        counts = Counter(keyframe.video_id for keyframe in self.keyframes)
        self.todo = {video_id: counts[video_id] for video_id in agree(left)}

    @property
    def items(self) -> list[Item]:
        """List what is to be read, with consecutive numbers."""
        left = (keyframe for keyframe in self.keyframes if keyframe.video_id in self.todo)
        return [Item(number, keyframe) for number, keyframe in enumerate(left)]

    @property
    def regions(self) -> Callable[[Item], Proposals]:
        """Give the function that gives the regions of an item; it can be copied to other processes."""
        return partial(_stored_regions, self.split, self.choice)

    def _refuse_other_persons(self, video_ids: set[str]) -> None:
        """Raise InputError for a finished video whose persons or seconds are not those that are asked for now."""
        for video_id, persons in persons_asked_for(self.split, self.choice, self.keyframes, video_ids):
            if not self.writer.is_of(video_id, **persons._asdict()):
                raise InputError(
                    f"bank file {self.writer.path(video_id)}: {OTHER_PERSONS}, or delete {self.writer.folder}."
                )


def _stored_regions(split: BankSplit, choice: str, item: Item) -> Proposals:
    return split.bank_regions(item.keyframe, choice)
