"""AVA, or a data set of one's own in AVA's formats."""

from __future__ import annotations

from lfb_lightning.datasets.ava.settings import AvaSettings
from lfb_lightning.datasets.ava.split import AvaSplit


class AvaDataset(AvaSettings):
    """A data set whose annotations, proposals and label map are in AVA's formats; see `AvaSettings` for its arguments."""

    __slots__ = ()

    def split(self, name: str) -> AvaSplit:
        """Return a split, whose tables are read when they are first needed.

        Args:
            name: Takes the place of `{split}` in the paths.
        """
        return AvaSplit(self, name)
