"""Detectors as files that run elsewhere: `lfb-export` writes them, predictions run on them.

`export_detector`, which alone needs torch's tracer, is in `exporting.exporting`.
"""

from lfb_lightning.exporting.opening import open_detector

__all__ = ["open_detector"]
