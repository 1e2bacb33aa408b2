"""Evaluates csv files of any tool, as the official script does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from lfb_lightning.ava.csv_rows import read_csv_rows
from lfb_lightning.ava.evaluation_csv import EvaluationTable, keyframe_keys
from lfb_lightning.metrics.frame_ap import BoxRows, FrameAP, Protocol, evaluate


def evaluate_csv(
    *,
    detections: EvaluationTable,
    annotations: EvaluationTable,
    action_ids: list[int],
    excluded: str | Path | None = None,
    protocol: Protocol = "official",
) -> FrameAP:
    """Frame-AP of a result file against an annotation file; `excluded` drops keyframes from both."""
    dropped: list[str] = []
    if excluded is not None:
        table = read_csv_rows(excluded, ["video_id", "timestamp"], what="excluded timestamps")
        dropped = keyframe_keys(table, excluded).tolist()
    truth = annotations.rows[~annotations.rows["key"].isin(dropped)]
    found = detections.rows[~detections.rows["key"].isin(dropped)]
    marked = [key for key in annotations.marked if key not in set(dropped)]
    keys = pd.concat([truth["key"], found["key"], pd.Series(marked, dtype=object)])
    frames = pd.factorize(keys)[0].astype(np.int64)
    truth_frames, found_frames, marked_frames = np.split(frames, [len(truth), len(truth) + len(found)])
    return evaluate(
        _box_rows(truth, truth_frames),
        _box_rows(found, found_frames),
        action_ids,
        protocol=protocol,
        annotated_frames=np.unique(np.concatenate([truth_frames, marked_frames])),
    )


def _box_rows(rows: pd.DataFrame, frames: np.ndarray) -> BoxRows:
    return BoxRows(
        frames,
        rows["action_id"].to_numpy(dtype=np.int64),
        rows[["x1", "y1", "x2", "y2"]].to_numpy(dtype=np.float64),
        rows["score"].to_numpy(dtype=np.float64),
    )
