"""A loader that goes on in the middle of an epoch.

Lightning keeps `state_dict()` in checkpoints and gives it back before the first batch. What a batch holds depends on seed,
epoch and its number alone (`DealtBatches`, `SampleKey`), so its number is all the state there is: no worker's random
state, no prefetched batches.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader

from lfb_lightning.lightning.datamodules.batching import DealtBatches


class ResumableLoader(DataLoader[Any]):
    """A DataLoader over `DealtBatches` that counts the batches it has given out."""

    def __init__(self, dataset: Any, *, batch_sampler: DealtBatches, **options: Any) -> None:
        super().__init__(dataset, batch_sampler=batch_sampler, **options)
        self._batches = batch_sampler
        self._given = 0

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        # A generator: workers start with the first batch that is asked for, after the epoch has been set.
        self._given = self._batches.first_batch
        for batch in super().__iter__():
            self._given += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Return the epoch, and how many of its batches have been given out."""
        return {"epoch": self._batches.epoch, "batches": self._given}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Leave out the batches that were given out before the checkpoint."""
        self._batches.resume(state["epoch"], state["batches"])
