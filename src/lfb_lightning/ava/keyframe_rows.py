"""Groups the rows of a table by keyframe: they are sorted once, then every keyframe is one slice.

A dictionary of 184,005 small arrays costs gigabytes and seconds at AVA's size; two arrays of offsets do not. Nor is a tuple
kept for each keyframe: the lists here make them when they are asked for one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import count, repeat
from operator import eq
from typing import overload

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int, Int32, Int64

from lfb_lightning.clock import TICK_LIMIT
from lfb_lightning.structures import Item, Keyframe

_TICKS = 1 << 33  # keys of one video; timestamps lie in the middle of them
_BLOCK = 4096  # keyframes that an iteration makes at a time
_NO_KEYS: Int64[np.ndarray, " 0"] = np.zeros(0, dtype=np.int64)


class KeyframeRows:
    """Maps a `Keyframe` to the slice of its rows in columns sorted by `keys` (see `keyframe_keys`)."""

    def __init__(
        self,
        video_ids: Sequence[str],
        keys: Int64[np.ndarray, " N"],
        empty: Int64[np.ndarray, " M"] = _NO_KEYS,
    ) -> None:
        """Take the sorted keys, one per row, the sorted video ids that they number, and keys of keyframes without rows.

        `self.keys` are those of the keyframes, each once.
        """
        self.video_ids = list(video_ids)
        changes = np.ones(len(keys), dtype=bool)
        changes[1:] = keys[1:] != keys[:-1]
        self.starts = np.flatnonzero(changes)
        self.keys = keys[self.starts]
        if len(empty):
            self.keys = np.union1d(self.keys, empty)
            self.starts = np.searchsorted(keys, self.keys)
        self._bounds: Int64[np.ndarray, " K+1"] = np.append(self.starts, len(keys))
        self.starts = self._bounds[:-1]
        self._number = {name: number for number, name in enumerate(self.video_ids)}

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def counts(self) -> Int64[np.ndarray, " K"]:
        """How many rows each keyframe has."""
        return np.diff(self._bounds)

    @property
    def videos(self) -> Int64[np.ndarray, " K"]:
        """The place of each keyframe's video in `video_ids`."""
        return self.keys // _TICKS

    @property
    def timestamps(self) -> Int64[np.ndarray, " K"]:
        """The timestamp of each keyframe."""
        return self.keys % _TICKS - _TICKS // 2

    @property
    def keyframes(self) -> KeyframeList:
        """Every keyframe, sorted by video and time."""
        return KeyframeList(self, np.arange(len(self), dtype=np.int32))

    def keyframe(self, index: int) -> Keyframe:
        """Give a keyframe by its place among all."""
        video, tick = divmod(int(self.keys[index]), _TICKS)
        return Keyframe(self.video_ids[video], tick - _TICKS // 2)

    def listed(self, places: Int[np.ndarray, " N"]) -> Iterator[Keyframe]:
        """Give keyframes by their places, without a call of Python's for each."""
        videos, ticks = np.divmod(self.keys[places], _TICKS)
        names = map(self.video_ids.__getitem__, videos.tolist())
        return map(tuple.__new__, repeat(Keyframe), zip(names, (ticks - _TICKS // 2).tolist(), strict=True))

    def _place(self, keyframe: Keyframe) -> int:
        """The place of a keyframe among all; -1 for one that is not in the table."""
        video, tick = self._number.get(keyframe[0], -1), keyframe[1]
        if video < 0 or not -TICK_LIMIT < tick < TICK_LIMIT:
            return -1
        key = video * _TICKS + tick + _TICKS // 2
        place = int(self.keys.searchsorted(key))
        return place if place < len(self.keys) and self.keys[place] == key else -1

    def __contains__(self, keyframe: Keyframe) -> bool:
        return self._place(keyframe) >= 0

    def __iter__(self) -> Iterator[Keyframe]:
        return iter(self.keyframes)

    def found_in(self, keyframes: Iterable[Keyframe]) -> Bool[np.ndarray, " K"]:
        """Say which of these keyframes are among the given ones."""
        return _are_among(self.keys, np.sort(keys_of(keyframes, self.video_ids)))

    def found_in_table(self, other: KeyframeRows) -> Bool[np.ndarray, " K"]:
        """Say which of these keyframes are in another table."""
        numbers = np.array([self._number.get(name, -1) for name in other.video_ids], dtype=np.int64)
        theirs = numbers[other.videos]
        return _are_among(self.keys, keyframe_keys(theirs, other.timestamps)[theirs >= 0])  # both sorted by name

    def select(self, chosen: Bool[np.ndarray, " K"]) -> KeyframeList:
        """List the keyframes at which `chosen` is True."""
        return KeyframeList(self, np.flatnonzero(chosen).astype(np.int32))

    def rows(self, keyframe: Keyframe) -> slice:
        """Give the slice of a keyframe's rows; an empty one for a keyframe that is not in the table."""
        place = self._place(keyframe)
        return slice(0, 0) if place < 0 else slice(int(self._bounds[place]), int(self._bounds[place + 1]))


class KeyframeList(Sequence[Keyframe]):
    """Some keyframes of a table, of which nothing is kept but their places there; equal to a list of the same ones.

    Args:
        table: The table.
        places: Of the keyframes among all of the table.
    """

    __slots__ = ("places", "table")

    def __init__(self, table: KeyframeRows, places: Int32[np.ndarray, " N"]) -> None:
        self.table = table
        self.places = places

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> Keyframe: ...
    @overload
    def __getitem__(self, index: slice) -> KeyframeList: ...
    def __getitem__(self, index: int | slice) -> Keyframe | KeyframeList:
        if isinstance(index, slice):
            return KeyframeList(self.table, self.places[index])
        return self.table.keyframe(int(self.places[index]))

    def __iter__(self) -> Iterator[Keyframe]:
        for start in range(0, len(self.places), _BLOCK):
            yield from self.table.listed(self.places[start : start + _BLOCK])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]  # as a list

    def __repr__(self) -> str:
        return repr(list(self))


class ItemList(Sequence[Item]):
    """Keyframes as the items of a split, numbered by their places in the list; equal to a list of the same ones."""

    __slots__ = ("keyframes",)

    def __init__(self, keyframes: KeyframeList) -> None:
        self.keyframes = keyframes

    def __len__(self) -> int:
        return len(self.keyframes)

    @overload
    def __getitem__(self, index: int) -> Item: ...
    @overload
    def __getitem__(self, index: slice) -> list[Item]: ...
    def __getitem__(self, index: int | slice) -> Item | list[Item]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        number = range(len(self))[index]
        return Item(number, self.keyframes[number])

    def __iter__(self) -> Iterator[Item]:
        return map(Item, count(), self.keyframes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]  # as a list

    def __repr__(self) -> str:
        return repr(list(self))


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


def _are_among(keys: Int64[np.ndarray, " N"], others: Int64[np.ndarray, " M"]) -> Bool[np.ndarray, " N"]:
    """Say which keys are among others that are sorted."""
    if not len(others):
        return np.zeros(len(keys), dtype=bool)
    return others[np.minimum(others.searchsorted(keys), len(others) - 1)] == keys
