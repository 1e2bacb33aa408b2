"""Evaluators, each equal to its data set's official program, and the scores of items for measures of one's own.

Frame mAP at IoU 0.5 (AVA), mAP over videos (Charades), accuracy over segments (EPIC-Kitchens): plain functions of arrays, and
the evaluators that collect scores for them on any number of processes.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lfb_lightning.metrics.box_rows import BoxRows
from lfb_lightning.metrics.frame_ap import FrameAP, Protocol, evaluate
from lfb_lightning.metrics.segment_accuracy import action_prior, official_names, segment_accuracy
from lfb_lightning.metrics.video_map import max_over_views, video_mean_ap

if TYPE_CHECKING:
    from lfb_lightning.metrics.frame_map import FrameMeanAP
    from lfb_lightning.metrics.item_scores import ItemScores
    from lfb_lightning.metrics.segment_evaluator import SegmentAccuracy
    from lfb_lightning.metrics.video_evaluator import VideoMeanAP

__all__ = [
    "BoxRows",
    "FrameAP",
    "FrameMeanAP",
    "ItemScores",
    "Protocol",
    "SegmentAccuracy",
    "VideoMeanAP",
    "action_prior",
    "evaluate",
    "max_over_views",
    "official_names",
    "segment_accuracy",
    "video_mean_ap",
]


# Imported on first use, since `lfb-eval` needs no torch, which would triple its memory and its start-up time.
_WITH_TORCH = {
    "FrameMeanAP": "lfb_lightning.metrics.frame_map",
    "ItemScores": "lfb_lightning.metrics.item_scores",
    "SegmentAccuracy": "lfb_lightning.metrics.segment_evaluator",
    "VideoMeanAP": "lfb_lightning.metrics.video_evaluator",
}


def __getattr__(name: str) -> Any:
    if name in _WITH_TORCH:
        return getattr(import_module(_WITH_TORCH[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
