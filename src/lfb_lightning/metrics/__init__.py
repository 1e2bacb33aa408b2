"""Frame-mAP@0.5 as AVA's official tool computes it: a numpy core and its torchmetrics.Metric."""

from lfb_lightning.metrics.frame_ap import BoxRows, FrameAP, Protocol, evaluate
from lfb_lightning.metrics.frame_map import FrameMeanAP

__all__ = ["BoxRows", "FrameAP", "FrameMeanAP", "Protocol", "evaluate"]
