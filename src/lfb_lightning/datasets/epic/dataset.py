"""EPIC-Kitchens 55 or 100, or a data set of one's own in their formats."""

from __future__ import annotations

from lfb_lightning.datasets.epic.settings import EpicSettings
from lfb_lightning.datasets.epic.split import EpicSplit


class EpicDataset(EpicSettings):
    """A data set whose segments and classes are in EPIC-Kitchens' formats; see `EpicSettings` for its arguments."""

    __slots__ = ()

    why_no_cache = (
        "training clips lie anywhere in a segment, so that a cache would hold every frame; train from the videos, or extract "
        "their frames once and set data.source=frames."
    )

    def split(self, name: str) -> EpicSplit:
        """Return a split, whose tables are read when they are first needed.

        Args:
            name: Train, val or test; `split_files` says which files it is of, `participants` whose segments.
        """
        return EpicSplit(self, name)
