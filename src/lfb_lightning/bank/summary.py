"""Figures of a bank: how many features per tick, and which ticks of each video have any."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lfb_lightning.bank.reader import FeatureBank


class Coverage(NamedTuple):
    """Which ticks of a video have a feature (AVA's ticks are seconds), and how far apart they are meant to be."""

    first: int
    last: int
    seconds: tuple[int, ...]
    step: int = 1

    @property
    def share(self) -> float:
        """The share, 0 to 1, of the ticks from first to last, `step` apart, that have a feature."""
        return len(self.seconds) / ((self.last - self.first) // self.step + 1)


@dataclass(frozen=True, slots=True)
class BankSummary:
    """The figures of a bank.

    Args:
        rows: Features.
        videos: Videos.
        feature_bytes: Bytes of all features.
        persons_per_second: Ticks with 1, 2, ... features.
        coverage: Which ticks each video has features at; a video without any is not in it.
    """

    rows: int
    videos: int
    feature_bytes: int
    persons_per_second: Mapping[int, int]
    coverage: Mapping[str, Coverage]

    @property
    def mean_persons(self) -> float:
        """Features per tick, over the ticks that have one."""
        seconds = sum(self.persons_per_second.values())
        return self.rows / seconds if seconds else 0.0


def summarize(bank: FeatureBank) -> BankSummary:
    """Compute the figures of a bank from every video's timestamps; its features are not read."""
    persons: Counter[int] = Counter()
    coverage = {}
    for video_id in sorted(bank.videos):
        seconds, counts = np.unique(bank.timestamps(video_id), return_counts=True)
        persons.update(counts.tolist())
        if len(seconds):
            coverage[video_id] = Coverage(
                int(seconds[0]), int(seconds[-1]), tuple(seconds.tolist()), bank.manifest.provenance.step
            )
    return BankSummary(
        rows=bank.manifest.num_rows,
        videos=bank.manifest.num_videos,
        feature_bytes=bank.manifest.num_rows * bank.row_bytes,
        persons_per_second=dict(sorted(persons.items())),
        coverage=coverage,
    )
