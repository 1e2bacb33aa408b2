"""Clips within their segment, as epic-kitchens-slowfast reads them (`data.clips_inside`, `data.frame_spacing=even`).

A clip begins anywhere in its segment from where it fits, in a test of K clips after 0, 1/K, ... of that room, and in a
shorter segment with its first frame, whose last one is then repeated.
"""

from __future__ import annotations

import torch

from lfb_lightning.clips.sampling import ClipPart
from lfb_lightning.datasets.epic.settings import EpicSettings
from lfb_lightning.datasets.epic.tables import EpicTables
from lfb_lightning.epic import frame_at


class SegmentParts:
    """Where clips lie within the segments of a split.

    Args:
        tables: The split's segments.
    """

    def __init__(self, tables: EpicTables) -> None:
        self._tables = tables
        self._data: EpicSettings = tables.data

    def drawn(self, number: int, generator: torch.Generator) -> tuple[ClipPart, int]:
        """Draw a training clip.

        Args:
            number: Of the segment.
            generator: Source of what is drawn: any moment of the segment at which a clip that fits may begin.

        Returns:
            The part, and the frame in the middle of the clip, at the data set's rate.
        """
        first, count, room, fps = self._room(number)
        begin = room * float(torch.rand((), generator=generator, dtype=torch.float64))
        start, stop = self._tables.frames[number].tolist()
        middle = round(begin * self._data.fps / fps) + self._data.span // 2 if room > 0 else (stop - start) // 2
        return ClipPart(first, count, begin, fps), start + middle

    def around(self, number: int, center: int) -> ClipPart:
        """Give the part of a clip that is scored.

        Args:
            number: Of the segment.
            center: The frame in the middle of the clip, at the data set's rate.
        """
        first, count, room, fps = self._room(number)
        start, stop = self._tables.frames[number].tolist()
        places, clips = stop - start - self._data.span, self._data.test_clips
        behind = center - start - self._data.span // 2
        begin = behind * fps / self._data.fps
        if self._data.test_places == "beginnings" and places > 0:
            place = -(-behind * clips // places)
            begin = room * place / clips if places * place // clips == behind else begin  # Source: between frames too
        return ClipPart(first, count, min(max(begin, 0.0), room), fps)

    def _room(self, number: int) -> tuple[int, int, float, float]:
        """First frame and number of frames of a segment, those by which a clip in it may begin later, and their rate."""
        segment = self._tables.segments[number]
        fps = self._tables.frames_fps(segment.video_id)
        first = frame_at(segment.start, fps)
        count = max(frame_at(segment.stop, fps) - first, 1)
        return first, count, max(count - self._data.span * fps / self._data.fps, 0.0), fps
