"""A result as plain values for a json file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lfb_lightning.metrics.frame_ap import FrameAP


def describe_result(
    result: FrameAP, class_groups: Mapping[str, Sequence[int]], names: Mapping[int, str]
) -> dict[str, Any]:
    """mAP in 0..1, overall, by group and by action id; None where there is no ground truth."""
    return {
        "mAP": result.mean,
        "groups": {name: result.mean_over(list(ids)) for name, ids in class_groups.items()},
        "per_class": {str(key): value for key, value in result.per_class.items()},
        "names": {str(key): names[key] for key in result.per_class},
        "num_ground_truth": {str(key): value for key, value in result.num_ground_truth.items()},
        "num_detections": {str(key): value for key, value in result.num_detections.items()},
    }
