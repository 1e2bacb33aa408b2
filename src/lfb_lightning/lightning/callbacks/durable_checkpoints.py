"""Writes the trainer's checkpoints, `best.ckpt` and `last.ckpt`, so that a power failure leaves a whole one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytorch_lightning.plugins import TorchCheckpointIO

from lfb_lightning.files.torch_writing import save_durably


class DurableCheckpoints(TorchCheckpointIO):
    """Flushes a checkpoint to the disk before it replaces the one before.

    Addresses with a protocol (`s3://...`) are left to Lightning.

    Raises:
        InputError: The file cannot be written.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any | None = None) -> None:
        """Write a checkpoint."""
        if "://" in str(path):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        save_durably(Path(path), checkpoint)
