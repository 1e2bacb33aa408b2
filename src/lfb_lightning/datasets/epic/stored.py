"""Which entries of a bank show which segments, to train on the bank in the place of clips (`data.short_term=bank`)."""

from __future__ import annotations

from functools import cached_property

from lfb_lightning.datasets.epic.tables import EpicTables
from lfb_lightning.structures import Item, Keyframe


class StoredSegments:
    """The entries within segments.

    Paper: training clips lie anywhere within a segment and are augmented. Here: they are the bank's.

    Args:
        tables: The split's segments.
    """

    def __init__(self, tables: EpicTables) -> None:
        self._tables = tables
        self._step = tables.data.bank_step

    @cached_property
    def owners(self) -> dict[Keyframe, int]:
        """The segment of each entry that lies within one; of several, the one whose middle is nearest."""
        found: dict[Keyframe, tuple[int, int]] = {}
        for number, (start, stop) in enumerate(self._tables.frames.tolist()):
            for keyframe in self._within(number, start, stop):
                away = abs(2 * keyframe.timestamp - start - stop)
                if away < found.get(keyframe, (away + 1, 0))[0]:
                    found[keyframe] = (away, number)
        return {keyframe: number for keyframe, (_, number) in found.items()}

    def owner(self, keyframe: Keyframe) -> int | None:
        """Find the segment that a moment shows, an entry of the bank or not; None where there is none."""
        if keyframe in self.owners:
            return self.owners[keyframe]
        frame = keyframe.timestamp
        shown = [
            (abs(2 * frame - start - stop), number)
            for number, (start, stop) in enumerate(self._tables.frames.tolist())
            if start <= frame <= stop and self._tables.segments[number].video_id == keyframe.video_id
        ]
        return min(shown)[1] if shown else None

    def items(self, *, training: bool) -> list[Item]:
        """List entries with the numbers of their segments.

        Args:
            training: Whether all within segments; else for each segment the one that is nearest to its middle.
        """
        if training:
            return [Item(number, keyframe) for keyframe, number in self.owners.items()]
        pairs = enumerate(self._tables.frames.tolist())
        return [Item(number, self._nearest(number, start + stop)) for number, (start, stop) in pairs]

    def _within(self, number: int, start: int, stop: int) -> list[Keyframe]:
        video_id = self._tables.segments[number].video_id
        last = min(stop, self._tables.num_frames(video_id))
        begin = max(-(-start // self._step), 1) * self._step
        return [Keyframe(video_id, frame) for frame in range(begin, last + 1, self._step)]

    def _nearest(self, number: int, twice_middle: int) -> Keyframe:
        video_id = self._tables.segments[number].video_id
        most = self._tables.num_frames(video_id) // self._step
        place = (twice_middle + self._step) // (2 * self._step)
        return Keyframe(video_id, max(1, min(place, most)) * self._step)
