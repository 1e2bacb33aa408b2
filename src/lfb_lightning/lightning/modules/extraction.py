"""Runs a detector's backbone over clips and returns every region's short-term feature."""

from __future__ import annotations

from pytorch_lightning import LightningModule

from lfb_lightning.models.region_model import RegionModel
from lfb_lightning.structures import ClipBatch, PersonFeatures, VideoFailure


class ExtractionTask(LightningModule):
    """Computes features for `Trainer.predict`; a failure in the place of a batch is passed on.

    Args:
        detector: What computes them.
    """

    def __init__(self, detector: RegionModel) -> None:
        super().__init__()
        self.detector = detector

    def predict_step(self, batch: ClipBatch | VideoFailure, batch_index: int) -> PersonFeatures | VideoFailure:
        """Compute the short-term features of a batch, in fp32."""
        if isinstance(batch, VideoFailure):
            return batch
        assert batch.clips is not None
        features = self.detector.short_term_features(batch.clips, batch.rois)
        return PersonFeatures(batch.keyframes, batch.clip_of_roi, batch.boxes, batch.scores, features.float())
