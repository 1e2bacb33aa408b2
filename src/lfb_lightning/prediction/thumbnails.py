"""Thumbnails spread over a video, of which there are never more than a page can hold."""

from __future__ import annotations

from collections.abc import Sequence

_MOST = 1200  # about 4 MB


class Thumbnails:
    """Takes every thumbnail at first, then every second one, every fourth one, ..., so that few enough are held."""

    def __init__(self) -> None:
        self.taken: list[tuple[float, bytes]] = []
        self._step = 1
        self._seen = 0

    def add(self, seconds: Sequence[float], pictures: Sequence[bytes]) -> None:
        """Add the thumbnails of further moments.

        Args:
            seconds: The moments, ascending.
            pictures: Their JPEGs.
        """
        for second, picture in zip(seconds, pictures, strict=True):
            if self._seen % self._step == 0:
                self.taken.append((second, picture))
            self._seen += 1
            if len(self.taken) > _MOST:
                self.taken = self.taken[::2]
                self._step *= 2
