"""Which part of its video a clip does not leave, where a split says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from lfb_lightning.clips.sampling import ClipPart
from lfb_lightning.datasets.action_dataset import ActionSplit
from lfb_lightning.structures import Item


@runtime_checkable
class PartsOfVideos(Protocol):
    """What a split may offer too: that clips of an item that are scored do not leave a part of the video."""

    def clip_part(self, item: Item) -> ClipPart | None:
        """Say which part, and where in it the clip begins; None: any frame of the video may be shown."""
        ...


def parts_of(split: ActionSplit) -> Callable[[Item], ClipPart | None] | None:
    """Return what tells the parts of a split's items; None: every clip may show any frame of its video."""
    return split.clip_part if isinstance(split, PartsOfVideos) else None
