"""Excluded timestamps: `video_id,timestamp` rows that are neither trained nor evaluated on."""

from __future__ import annotations

from pathlib import Path

from lfb_lightning.ava.csv_rows import read_number_rows
from lfb_lightning.clock import SECONDS, Clock
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe

_MOST_KEYFRAMES = 1_000_000  # a set of them takes 200 bytes each; AVA excludes 198


def read_excluded(path: str | Path | None, *, clock: Clock = SECONDS) -> frozenset[Keyframe]:
    """Read an exclusion csv; None means that nothing is excluded.

    Args:
        path: The file; its timestamps are seconds.
        clock: The data set's clock, whose ticks the keyframes count.

    Raises:
        InputError: With file and row for what is not such a file.
    """
    if path is None:
        return frozenset()
    columns = ["video_id", "timestamp"]
    table = read_number_rows(path, columns, what="excluded timestamps", integers=["timestamp"], clock=clock)
    table = table.drop_duplicates()
    if len(table) > _MOST_KEYFRAMES:
        raise InputError(f"excluded timestamps {path}: {len(table)} keyframes, expected at most {_MOST_KEYFRAMES}.")
    return frozenset(map(Keyframe, table["video_id"].tolist(), table["timestamp"].tolist()))
