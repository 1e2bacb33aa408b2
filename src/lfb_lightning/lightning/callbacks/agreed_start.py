"""Refuses to train where the machines of a run do not begin alike, such as from run folders that are not the same."""

from __future__ import annotations

import socket
from pathlib import Path

import torch.distributed as dist
from pytorch_lightning import Callback, LightningModule, Trainer

from lfb_lightning.errors import InputError


class AgreedStart(Callback):
    """Compares what each process goes on from, before anything of it is read.

    A rank that begins anew while the others go on would wait for steps that they have done.

    Args:
        path: The checkpoint that this process goes on from; None where it begins anew.
    """

    def __init__(self, path: str | None) -> None:
        self.path = path

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Compare when the processes have met.

        Raises:
            InputError: They differ.
        """
        if stage != "fit" or trainer.num_nodes < 2 or not (dist.is_available() and dist.is_initialized()):
            return
        size = Path(self.path).stat().st_size if self.path is not None else None
        found: list[tuple[str, int | None]] = [("", None)] * trainer.world_size
        dist.all_gather_object(found, (socket.gethostname(), size))
        if len({one for _, one in found}) > 1:
            with_it = [host for host, one in found if one is not None]
            without = [host for host, one in found if one is None]
            differs = f"is on {with_it[0]} and not on {without[0]}" if without else f"is another on {found[-1][0]}"
            raise InputError(
                f"ckpt_path: {trainer.default_root_dir}/checkpoints/last.ckpt {differs}; the run folder (hydra.run.dir) "
                "has to be one that all nodes see."
            )
