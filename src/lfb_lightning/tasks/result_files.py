"""What a test leaves behind: `results.csv` in the official form and `metrics.json`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lfb_lightning.ava import write_results
from lfb_lightning.data import Split
from lfb_lightning.metrics import FrameAP, FrameMeanAP
from lfb_lightning.metrics.frame_map import video_hash


def write_result_files(
    run_dir: Path, metric: FrameMeanAP, result: FrameAP, split: Split, class_groups: Mapping[str, Sequence[int]]
) -> None:
    """Write both files of an evaluated metric."""
    names = {video_hash(keyframe.video_id): keyframe.video_id for keyframe in split.proposals.keyframes}
    rows = metric.detections
    write_results(run_dir / "results.csv", rows.assign(video_id=rows["video_hash"].map(names)))
    write_json(run_dir / "metrics.json", describe_result(result, class_groups, split.label_map.names))


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


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON with null for NaN."""
    path.write_text(json.dumps(_without_nan(content), indent=1, sort_keys=True) + "\n")


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(item) for key, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
