"""What a test leaves behind: `results.csv` in the official form and `metrics.json`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lfb_lightning.ava.results import write_results
from lfb_lightning.datasets import Split
from lfb_lightning.files.durable import write_json
from lfb_lightning.metrics import FrameAP, FrameMeanAP
from lfb_lightning.metrics.description import describe_result
from lfb_lightning.metrics.frame_map import video_hash


def write_result_files(
    run_dir: Path, metric: FrameMeanAP, result: FrameAP, split: Split, class_groups: Mapping[str, Sequence[int]]
) -> None:
    """Write both files of an evaluated metric; for a split without truth, the second says what there is instead of an mAP."""
    names = {video_hash(keyframe.video_id): keyframe.video_id for keyframe in split.proposals.keyframes}
    rows = metric.detections
    write_results(run_dir / "results.csv", rows.assign(video_id=rows["video_hash"].map(names)))
    content = describe_result(result, class_groups, split.label_map.names)
    if split.is_without_truth:
        content = {
            "split": split.name,
            "detections": len(rows),
            "keyframes": len(rows[["video_hash", "timestamp"]].drop_duplicates()),
            "no_mAP_because": f"annotations {split.path(split.data.annotations)}: no such file",
        }
    write_json(run_dir / "metrics.json", content)
