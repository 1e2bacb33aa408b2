"""Excluded timestamps: `video_id,timestamp` rows that are neither trained nor evaluated on."""

from __future__ import annotations

from pathlib import Path

from lfb_lightning.ava.csv_rows import read_number_rows
from lfb_lightning.structures import Keyframe


def read_excluded(path: str | Path | None) -> frozenset[Keyframe]:
    """Read an exclusion csv; None means that nothing is excluded. Raises InputError with file and row."""
    if path is None:
        return frozenset()
    table = read_number_rows(path, ["video_id", "timestamp"], what="excluded timestamps", integers=["timestamp"])
    return frozenset(map(Keyframe, table["video_id"].tolist(), table["timestamp"].tolist()))
