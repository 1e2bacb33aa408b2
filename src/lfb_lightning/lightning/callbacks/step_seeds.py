"""Seeds the random numbers of a training step, such as dropout's, by (seed, rank, epoch, batch) alone.

So a resumed run draws what the uninterrupted one would have drawn, and no generator state travels in checkpoints.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer


class StepSeeds(Callback):
    """Seeds torch before every training batch."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Seed torch for the batch."""
        words = np.random.SeedSequence(
            [self.seed, trainer.global_rank, trainer.current_epoch, batch_idx]
        ).generate_state(2)
        torch.manual_seed(int(words[0]) << 32 | int(words[1]))
