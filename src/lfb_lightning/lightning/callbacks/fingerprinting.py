"""Writes the fingerprint of the frames that a run read into its folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pytorch_lightning import Callback, LightningModule, Trainer

from lfb_lightning.clips import ClipSampling
from lfb_lightning.datasets import ActionSplit
from lfb_lightning.datasets.checks.fingerprint import fingerprint
from lfb_lightning.files.durable import write_json


class FrameFingerprint(Callback):
    """Writes `fingerprint.json` when a run starts, to be compared with that of lfb-check or of another run.

    Args:
        splits: What the run reads.
        sampling: Which frames make its clips.
    """

    def __init__(self, splits: Sequence[ActionSplit], sampling: ClipSampling) -> None:
        self._splits = splits
        self._sampling = sampling

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the fingerprint of training and validation."""
        self._write(trainer)

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the fingerprint of the tested split."""
        self._write(trainer)

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the fingerprint of the split that is extracted."""
        self._write(trainer)

    def _write(self, trainer: Trainer) -> None:
        if trainer.is_global_zero:
            content = {split.name: fingerprint(split, self._sampling) for split in self._splits}
            write_json(Path(trainer.default_root_dir) / "fingerprint.json", content)
