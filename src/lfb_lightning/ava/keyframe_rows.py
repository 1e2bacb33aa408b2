"""Groups the rows of a table by keyframe: they are sorted once, then every keyframe is one slice.

A dictionary of 184,005 small arrays costs gigabytes and seconds at AVA's size; two arrays of offsets do not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import repeat

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int, Int64

from lfb_lightning.ava.collector import paused_collector
from lfb_lightning.clock import TICK_LIMIT
from lfb_lightning.structures import Keyframe

_TICKS = 1 << 33  # keys of one video; timestamps lie in the middle of them
_NO_KEYS: Int64[np.ndarray, " 0"] = np.zeros(0, dtype=np.int64)


class KeyframeRows:
    """Maps a `Keyframe` to the slice of its rows in columns sorted by `keys` (see `keyframe_keys`)."""

    def __init__(
        self,
        video_ids: Sequence[str],
        keys: Int64[np.ndarray, " N"],
        empty: Int64[np.ndarray, " M"] = _NO_KEYS,
    ) -> None:
        """Take the sorted keys, one per row, the sorted video ids that they number, and keys of keyframes without rows."""
        self.video_ids = list(video_ids)
        changes = np.ones(len(keys), dtype=bool)
        changes[1:] = keys[1:] != keys[:-1]
        self.starts = np.flatnonzero(changes)
        self._distinct = keys[self.starts]
        if len(empty):
            self._distinct = np.union1d(self._distinct, empty)
            self.starts = np.searchsorted(keys, self._distinct)
        self.counts: Int64[np.ndarray, " K"] = np.diff(self.starts, append=len(keys))
        self._bounds = np.append(self.starts, len(keys)).tolist()
        videos, ticks = np.divmod(self._distinct, _TICKS)
        self._videos = videos
        self.timestamps: Int64[np.ndarray, " K"] = ticks - _TICKS // 2

    @cached_property
    def keyframes(self) -> list[Keyframe]:
        """Every keyframe, sorted by video and time."""
        pairs = zip(map(self.video_ids.__getitem__, self._videos.tolist()), self.timestamps.tolist(), strict=True)
        with paused_collector():
            return list(
                map(tuple.__new__, repeat(Keyframe), pairs)
            )  # Keyframe(...) without a Python call each: 5x quicker

    @cached_property
    def _index(self) -> dict[Keyframe, int]:
        return {keyframe: index for index, keyframe in enumerate(self.keyframes)}

    def __contains__(self, keyframe: Keyframe) -> bool:
        return keyframe in self._index

    def __iter__(self) -> Iterator[Keyframe]:
        return iter(self.keyframes)

    def found_in(self, keyframes: Iterable[Keyframe]) -> Bool[np.ndarray, " K"]:
        """Say which of these keyframes are among the given ones."""
        return np.isin(self._distinct, keys_of(keyframes, self.video_ids))

    def found_in_table(self, other: KeyframeRows) -> Bool[np.ndarray, " K"]:
        """Say which of these keyframes are in another table."""
        number = {name: index for index, name in enumerate(self.video_ids)}
        theirs = np.array([number.get(name, -1) for name in other.video_ids], dtype=np.int64)[other._videos]
        return np.isin(self._distinct, keyframe_keys(theirs, other.timestamps)[theirs >= 0])

    def select(self, chosen: Bool[np.ndarray, " K"]) -> list[Keyframe]:
        """List the keyframes at which `chosen` is True."""
        keyframes = self.keyframes
        return [keyframes[index] for index in np.flatnonzero(chosen).tolist()]

    def rows(self, keyframe: Keyframe) -> slice:
        """Give the slice of a keyframe's rows; an empty one for a keyframe that is not in the table."""
        index = self._index.get(keyframe)
        return slice(0, 0) if index is None else slice(self._bounds[index], self._bounds[index + 1])


def keyframe_keys(videos: Int[np.ndarray, " N"], timestamps: Int[np.ndarray, " N"]) -> Int64[np.ndarray, " N"]:
    """Make one number per row, which sorts by video number, then by timestamp (within `clock.TICK_LIMIT`)."""
    assert TICK_LIMIT <= _TICKS // 2
    assert len(timestamps) == 0 or (timestamps.max() < TICK_LIMIT and timestamps.min() > -TICK_LIMIT)
    return videos.astype(np.int64) * _TICKS + timestamps.astype(np.int64) + _TICKS // 2


def number_videos(video_ids: pd.Series) -> tuple[list[str], Int64[np.ndarray, " N"]]:
    """List the distinct ids, sorted, and give each row's place among them."""
    column = video_ids.astype("category").cat
    names = column.categories.astype(str).to_numpy(dtype=object)
    order = np.argsort(names)
    place = np.empty(len(names), dtype=np.int64)
    place[order] = np.arange(len(names))
    return names[order].tolist(), place[column.codes.to_numpy()]


def keys_of(keyframes: Iterable[Keyframe], video_ids: Sequence[str]) -> Int64[np.ndarray, " M"]:
    """Make the keys of those keyframes whose video is among `video_ids`."""
    number = {name: index for index, name in enumerate(video_ids)}
    pairs = [(number[name], timestamp) for name, timestamp in keyframes if name in number]
    table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return keyframe_keys(table[:, 0], table[:, 1])


def stable_order(keys: Int64[np.ndarray, " N"]) -> Int64[np.ndarray, " N"] | slice:
    """Find what sorts the keys, equal ones in their order; a slice of everything where they are sorted already."""
    return slice(None) if bool((keys[1:] >= keys[:-1]).all()) else np.argsort(keys, kind="stable")
