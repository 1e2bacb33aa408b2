"""What is in a bank: how many persons a second, and which seconds of each video."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lfb_lightning.bank.reader import FeatureBank


class Coverage(NamedTuple):
    """The seconds of a video from its first feature to its last, and how many of them have one."""

    first: int
    last: int
    seconds: tuple[int, ...]

    @property
    def share(self) -> float:
        """Of the seconds from first to last that have a feature, 0 to 1."""
        return len(self.seconds) / (self.last - self.first + 1)


@dataclass(frozen=True, slots=True)
class BankSummary:
    """`persons_per_second` counts the seconds with 1, 2, ... features; a video without features is not in `coverage`."""

    rows: int
    videos: int
    feature_bytes: int
    persons_per_second: Mapping[int, int]
    coverage: Mapping[str, Coverage]

    @property
    def mean_persons(self) -> float:
        """Features a second, over seconds that have one."""
        seconds = sum(self.persons_per_second.values())
        return self.rows / seconds if seconds else 0.0


def summarise(bank: FeatureBank) -> BankSummary:
    """Read every video's timestamps (not its features)."""
    persons: Counter[int] = Counter()
    coverage = {}
    for video_id in sorted(bank.videos):
        seconds, counts = np.unique(bank.timestamps(video_id), return_counts=True)
        persons.update(counts.tolist())
        if len(seconds):
            coverage[video_id] = Coverage(int(seconds[0]), int(seconds[-1]), tuple(seconds.tolist()))
    return BankSummary(
        rows=bank.manifest.num_rows,
        videos=bank.manifest.num_videos,
        feature_bytes=bank.manifest.num_rows * bank.row_bytes,
        persons_per_second=dict(sorted(persons.items())),
        coverage=coverage,
    )
