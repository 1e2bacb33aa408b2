"""The content of `metrics.json`: an evaluation's result as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lfb_lightning.metrics.frame_ap import FrameAP


def describe_result(
    result: FrameAP, class_groups: Mapping[str, Sequence[int]], names: Mapping[int, str]
) -> dict[str, Any]:
    """Turn a result into plain values, keyed by action id: mAP overall and per group, and AP and counts per class.

    Args:
        result: The evaluation's result.
        class_groups: Action ids by the name of their group, for a mean per group.
        names: The name of each action id.

    Returns:
        A dictionary that can be written as JSON; mAP and AP are 0 to 1, and NaN where there is no ground truth.
    """
    return {
        "mAP": result.mean,
        "groups": {name: result.mean_over(list(ids)) for name, ids in class_groups.items()},
        "per_class": {str(key): value for key, value in result.per_class.items()},
        "names": {str(key): names[key] for key in result.per_class},
        "num_ground_truth": {str(key): value for key, value in result.num_ground_truth.items()},
        "num_detections": {str(key): value for key, value in result.num_detections.items()},
    }
