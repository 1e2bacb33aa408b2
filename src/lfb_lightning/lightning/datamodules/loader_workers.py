"""Prepares the workers of loaders, above all for machines with little shared memory.

Tensors come from workers through shared memory. A worker that finds it full loses the batch, and the process that waits
for it hangs or dies of a bus error. Containers often have 64 MB of it; the batches of four workers on AVA need more. So
workers look first, and send through the pipe what there is no room for.
"""

from __future__ import annotations

import logging
import os
import signal
from multiprocessing.reduction import ForkingPickler
from typing import Any

import torch
from lightning_fabric.utilities.seed import pl_worker_init_function
from torch import Tensor
from torch.multiprocessing.reductions import reduce_tensor
from torch.utils.data import get_worker_info

from lfb_lightning.files.objects.store import worker_start_method
from lfb_lightning.processes import is_first_rank, usable_cores

_log = logging.getLogger(__name__)
_MOUNT = "/dev/shm"
_AHEAD = 2  # batches that a worker prepares before they are asked for


class WorkerStart:
    """Prepares a worker process; given to a loader as its `worker_init_fn`.

    The worker leaves Ctrl-C to the process that it works for, is seeded as Lightning does where it finds no other
    function, and looks before each tensor whether shared memory has room for it.

    Args:
        senders: Workers that share the memory: those of all ranks on the machine.
    """

    def __init__(self, senders: int) -> None:
        self.senders = senders
        self._said = False

    def __call__(self, worker_id: int) -> None:
        """Let Ctrl-C be the main process's to handle, seed the worker, and look at free memory before it sends a tensor."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        pl_worker_init_function(worker_id)
        ForkingPickler.register(Tensor, self._reduce)

    def _reduce(self, tensor: Tensor) -> tuple[Any, ...]:
        free = free_bytes()
        if has_room(tensor.untyped_storage().nbytes(), free, senders=self.senders):
            return reduce_tensor(tensor)
        self._say_once(free)
        return torch.from_numpy, (tensor.numpy(),)

    def _say_once(self, free: int) -> None:
        worker = get_worker_info()
        if not self._said and worker is not None and worker.id == 0 and is_first_rank():
            _log.warning(
                "%s has %.1f MB left, too little for the batches of %d workers: they come through pipes, which is slower; "
                "give it more (docker run --shm-size=2g), or lower data.num_workers or data.batch_size.",
                _MOUNT,
                free / 1e6,
                self.senders,
            )
        self._said = True


def worker_start(workers: int) -> str | None:
    """Say how a loader's workers start, as its `multiprocessing_context`.

    Args:
        workers: How many; without any, a loader takes none.
    """
    return worker_start_method() if workers else None


def useful_workers(most: int, *, ranks_here: int, videos: int | None = None, beside_gpu: bool = False) -> int:
    """Choose the number of a rank's workers, so that asking for more never makes a run slower.

    More workers than cores take turns, and take the cores of the forward pass where that is computed on them as well. A video
    is streamed by one worker from its beginning to its end, so of more workers than videos some would start for nothing, and
    one video beside a forward pass on the CPU is read as fast without any.

    Args:
        most: What `data.num_workers` asks for.
        ranks_here: The ranks of this machine, which share its cores.
        videos: How many videos the rank streams; None: clips are read at random.
        beside_gpu: Whether the forward pass leaves the cores alone.
    """
    workers = min(most, max(1, usable_cores() // ranks_here))
    if videos is None:
        return workers
    return 0 if videos <= 1 and not beside_gpu else min(workers, videos)


def has_room(size: int, free: int, *, senders: int) -> bool:
    """Say whether shared memory has room for a tensor, even if all senders put as many bytes there now and once more.

    Args:
        size: Bytes of the tensor.
        free: Bytes that are free.
        senders: Workers that share the memory.
    """
    return size * senders * _AHEAD <= free


def free_bytes() -> int:
    """Return the free bytes of the machine's shared memory; a huge number where it is no mount (macOS, Windows)."""
    try:
        mount = os.statvfs(_MOUNT)
    except (OSError, AttributeError):  # Windows has no such call
        return 1 << 62
    return mount.f_bavail * mount.f_frsize
