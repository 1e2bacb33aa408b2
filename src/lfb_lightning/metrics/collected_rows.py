"""What evaluators that collect scores share: rows of numbers from every rank, each entry counted once.

Ranks exchange numbers only: an entry (a keyframe, a view of an item) is identified by a row of integers. If a distributed
sampler gave an entry to two ranks, or twice to one, the rows that the lowest rank saw first are counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from jaxtyping import Float64, Int64, Shaped
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.distributed import gather_all_tensors

from lfb_lightning.structures import Keyframe

_MASK = 0x7FFFFFFFFFFFFFFF


class CollectedRows(Metric):
    """Collects rows that belong to identified entries, on any number of processes.

    Args:
        identity: Integers that identify an entry.
        width: Numbers per row.
    """

    full_state_update = False

    keys: list[Tensor]
    values: list[Tensor]

    def __init__(self, *, identity: int, width: int) -> None:
        super().__init__()
        self._identity = identity
        self._width = width
        # [rows, identity + 1]: who, order of arrival; [rows, width]
        self.add_state("keys", default=[], dist_reduce_fx="cat")
        self.add_state("values", default=[], dist_reduce_fx="cat")
        self._arrivals = 0

    def collect(self, identity: Int64[Tensor, "B K"], entry_of_row: Shaped[Tensor, " R"], values: Tensor) -> None:
        """Add rows.

        Args:
            identity: Of each entry of a batch.
            entry_of_row: The entry that each row belongs to, 0 to B - 1.
            values: The rows, `[R, width]`.
        """
        rank = dist.get_rank() if dist.is_available() and dist.is_initialized() else 0
        arrival = (rank << 48) + self._arrivals + torch.arange(len(identity))
        self._arrivals += len(identity)
        keys = torch.cat([identity, arrival[:, None]], dim=1)
        keys = keys.to(
            entry_of_row.device, non_blocking=entry_of_row.device.type == "cuda"
        )  # the host waits for neither
        self.keys.append(keys[entry_of_row.long()].to(self.device))
        self.values.append(values.double().to(self.device))

    def _sync_dist(self, dist_sync_fn: Callable[..., Any] = gather_all_tensors, process_group: Any = None) -> None:
        # A rank that saw nothing must gather too, with zero rows: torchmetrics would leave it out, and the others wait.
        if not self.keys:
            self.keys.append(torch.zeros(0, self._identity + 1, dtype=torch.long, device=self.device))
            self.values.append(torch.zeros(0, self._width, dtype=torch.double, device=self.device))
        super()._sync_dist(dist_sync_fn, process_group=process_group)

    def unique_rows(self) -> tuple[Int64[np.ndarray, "N K"], Float64[np.ndarray, "N W"]]:
        """Return what counts of all that was collected, ordered by identity.

        Returns:
            Identity and order of arrival of each row, and the rows.
        """
        if not len(self.keys):
            return np.zeros((0, self._identity + 1), dtype=np.int64), np.zeros((0, self._width))
        keys = _joined(self.keys).cpu().numpy()
        values = _joined(self.values).cpu().numpy()
        order = np.lexsort(keys.T[::-1])
        keys, values = keys[order], values[order]
        new = np.ones(len(keys), dtype=bool)
        new[1:] = (keys[1:, :-1] != keys[:-1, :-1]).any(axis=1)
        first_arrival = keys[:, -1][new][np.cumsum(new) - 1]
        kept = keys[:, -1] == first_arrival
        return keys[kept], values[kept]


def keyframe_numbers(keyframes: Sequence[Keyframe]) -> Int64[Tensor, "B 2"]:
    """Return the numbers that stand for keyframes when ranks exchange rows: a hash of the video id, and the timestamp."""
    rows = [[video_hash(keyframe.video_id), keyframe.timestamp] for keyframe in keyframes]
    return torch.tensor(rows, dtype=torch.long).reshape(-1, 2)


def video_hash(video_id: str) -> int:
    """Return a number of 63 bits that stands for a video id when ranks exchange detections."""
    return int.from_bytes(hashlib.blake2b(video_id.encode(), digest_size=8).digest(), "little") & _MASK


def _joined(state: list[Tensor] | Tensor) -> Tensor:
    return torch.cat(state) if isinstance(state, list) else state
