"""Charades, or a data set of one's own in its formats."""

from __future__ import annotations

from lfb_lightning.datasets.charades.settings import CharadesSettings
from lfb_lightning.datasets.charades.split import CharadesSplit


class CharadesDataset(CharadesSettings):
    """A data set whose annotations and class list are in Charades' formats; see `CharadesSettings` for its arguments."""

    __slots__ = ()

    why_no_cache = (
        "training clips lie anywhere in a video, so that a cache would hold every frame; train from the videos, or extract "
        "their frames once and set data.source=frames."
    )

    def split(self, name: str) -> CharadesSplit:
        """Return a split, whose tables are read when they are first needed.

        Args:
            name: Train, val or test; `split_files` says which files it is of.
        """
        return CharadesSplit(self, name)
