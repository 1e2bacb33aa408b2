"""Memory for the windows of a batch, used again for later ones.

A batch of windows takes 15 MB. The C library keeps freed blocks of that size, and where something smaller has come to lie
behind them, it takes others for the next windows: a process grew by 57 to 254 MB in 300 batches. Giving each block back to
the system instead would have its pages made anew for every batch, which takes longer than reading the windows.
"""

from __future__ import annotations

import mmap
import threading
import weakref
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

_SMALL = 1 << 20  # bytes, from which on a window is no matter of a few pages
_MOST = 4  # blocks that are kept; more windows than that at once have blocks of their own


class WindowMemory:
    """Lends blocks of memory, each to one window at a time. Safe to use from threads and to pickle, and after a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks: list[tuple[mmap.mmap, weakref.ref[np.ndarray]]] = []

    def __reduce__(self) -> tuple[type[WindowMemory], tuple[Any, ...]]:
        return WindowMemory, ()

    def rows(
        self, number: int, channels: int, dtype: torch.dtype, *, pin_memory: bool
    ) -> Shaped[Tensor, "number channels"]:
        """Lend rows of features, of any content; page-locked ones are torch's, which keeps them by itself."""
        if pin_memory:
            return torch.empty(number, channels, dtype=dtype, pin_memory=True)
        return self.lend(number * channels * dtype.itemsize).view(dtype).view(number, channels)

    def lend(self, size: int) -> Tensor:
        """Lend bytes until nobody has a tensor in them any more.

        Args:
            size: Their number.

        Returns:
            `[size]` uint8 of any content.
        """
        if size < _SMALL:
            return torch.empty(size, dtype=torch.uint8)
        with self._lock:
            block = self._free_block(size)
            lent = np.frombuffer(block, dtype=np.uint8, count=size)
            self._blocks = [(one, user) for one, user in self._blocks if one is not block][-_MOST + 1 :]
            self._blocks.append((block, weakref.ref(lent)))
        return torch.from_numpy(lent)  # keeps `lent` as long as a tensor shares its memory

    def _free_block(self, size: int) -> mmap.mmap:
        self._blocks = [(one, user) for one, user in self._blocks if user() is not None or len(one) >= size]
        free = [one for one, user in self._blocks if user() is None]
        return (
            free[0] if free else mmap.mmap(-1, size, access=mmap.ACCESS_COPY)
        )  # private: a forked process has its own
