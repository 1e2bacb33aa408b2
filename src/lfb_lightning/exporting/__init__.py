"""Detectors as files that run elsewhere: `lfb-export` writes them, predictions run on them."""

from lfb_lightning.exporting.exporting import export_detector
from lfb_lightning.exporting.opening import open_detector

__all__ = ["export_detector", "open_detector"]
