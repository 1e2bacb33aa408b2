"""AVA, or a data set of one's own in AVA's formats."""

from __future__ import annotations

from collections.abc import Sequence

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

    def video_ids(self, split: str) -> Sequence[str]:
        """List the videos of a split that are annotated or have proposals on a used second."""
        return self.split(split).tables.video_ids()

    def clip_moments(self, video_id: str) -> Sequence[float]:
        """List the used seconds of a video; they are the same for all, whatever is annotated or proposed there."""
        return [self.clock.seconds_in_video(tick) for tick in self.used_ticks]

    def describe_moments(self) -> dict[str, object]:
        """Describe what decides the used seconds."""
        return {name: getattr(self, name) for name in ("origin_second", "first_second", "last_second", "key_step")}
