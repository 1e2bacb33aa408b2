"""Finds, in the videos of a bank, the rows that the windows of a batch take."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Int64

from lfb_lightning.bank.video_rows import VideoRows, Videos
from lfb_lightning.bank.window import WindowBounds, WindowSpec, choose_rows
from lfb_lightning.structures import Keyframe


class ChosenRows(NamedTuple):
    """What one window takes of the rows from `low` up to `high` of a video.

    Args:
        video: The rows of the video.
        low: The first row within the window's bounds.
        high: The row after the last one.
        chosen: The chosen rows, ascending, counted from `low`.
        slots: The slot of each of them, counted through the windows of the batch.
    """

    video: VideoRows
    low: int
    high: int
    chosen: Int[np.ndarray, " M"]
    slots: Int[np.ndarray, " M"]


def choose_in_videos(
    videos: Videos,
    keyframes: Sequence[Keyframe],
    spec: WindowSpec,
    bounds: WindowBounds,
    generators: Sequence[np.random.Generator] | None,
) -> Iterator[ChosenRows]:
    """Choose the rows of each window that has any within its bounds.

    Args:
        videos: The bank's videos.
        keyframes: Where the windows are.
        spec: What belongs to them.
        bounds: Their bounds on the bank's clock.
        generators: One per keyframe, for windows of a random choice.
    """
    found = list(_candidates(videos, keyframes, spec, bounds, generators))
    if not found:
        return
    cells, keys = (np.concatenate([getattr(part, name) for part in found]) for name in ("cells", "keys"))
    rows, slots = choose_rows(spec, cells, keys, bounds.cells)
    begins = np.cumsum([0, *(part.high - part.low for part in found)])
    borders = rows.searchsorted(begins).tolist()
    for part, begin, first, last in zip(found, begins.tolist(), borders, borders[1:], strict=False):
        yield ChosenRows(part.video, part.low, part.high, rows[first:last] - begin, slots[first:last])


@dataclass(frozen=True, slots=True)
class _Candidates:
    """The rows that one window can take: those from `low` up to `high` of a video. `cells` count through the batch."""

    video: VideoRows
    low: int
    high: int
    cells: Int64[np.ndarray, " N"]
    keys: Float[np.ndarray, " N"]


def _candidates(
    videos: Videos,
    keyframes: Sequence[Keyframe],
    spec: WindowSpec,
    bounds: WindowBounds,
    generators: Sequence[np.random.Generator] | None,
) -> Iterator[_Candidates]:
    for index, keyframe in enumerate(keyframes):
        video = videos.rows(keyframe.video_id)
        if video is None:
            continue
        first, end = bounds.around(keyframe.timestamp)
        low, high = video.timestamps.searchsorted([first, end]).tolist()
        if low == high:
            continue
        if spec.selection == "top_score":
            keys = -video.scores[low:high]
        elif generators is not None:
            keys = generators[index].random(high - low)
        else:
            raise ValueError('selection="random" needs generators, one per keyframe')
        cells = bounds.cells_of(video.timestamps[low:high], keyframe.timestamp) + index * bounds.cells
        yield _Candidates(video, low, high, cells, keys)
