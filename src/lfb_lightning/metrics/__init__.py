"""Evaluators: frame mAP at IoU 0.5 as AVA's official tool computes it, and the scores of items for measures of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lfb_lightning.metrics.box_rows import BoxRows
from lfb_lightning.metrics.frame_ap import FrameAP, Protocol, evaluate
from lfb_lightning.metrics.segment_accuracy import action_prior, official_names, segment_accuracy
from lfb_lightning.metrics.video_map import max_over_views, video_mean_ap

if TYPE_CHECKING:
    from lfb_lightning.metrics.frame_map import FrameMeanAP
    from lfb_lightning.metrics.item_scores import ItemScores

__all__ = [
    "BoxRows",
    "FrameAP",
    "FrameMeanAP",
    "ItemScores",
    "Protocol",
    "action_prior",
    "evaluate",
    "max_over_views",
    "official_names",
    "segment_accuracy",
    "video_mean_ap",
]


def __getattr__(name: str) -> Any:
    # Imported on first use, since `lfb-eval` needs no torch, which would triple its memory and its start-up time.
    if name == "FrameMeanAP":
        from lfb_lightning.metrics.frame_map import FrameMeanAP

        return FrameMeanAP
    if name == "ItemScores":
        from lfb_lightning.metrics.item_scores import ItemScores

        return ItemScores
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
