"""Writes the result csv in the official form: `video_id,timestamp,x1,y1,x2,y2,action_id,score`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from lfb_lightning.clock import SECONDS, Clock
from lfb_lightning.files.durable import durable_file

COLUMNS = ["video_id", "timestamp", "x1", "y1", "x2", "y2", "action_id", "score"]


def write_results(path: str | Path, rows: pd.DataFrame, *, clock: Clock = SECONDS) -> None:
    """Write detections with these columns, sorted by keyframe.

    Nine digits identify every float32 score and seventeen every float64 coordinate, so the official tool computes
    from the file what was computed from the tensors; rounding scores to four digits moves mAP (by up to 0.04 points).

    Args:
        path: The file.
        rows: The detections; `timestamp` counts ticks of `clock`, and is written as seconds.
        clock: The clock of the data set.
    """
    rows = rows.sort_values(["video_id", "timestamp"], kind="stable")
    out = pd.DataFrame({"video_id": rows["video_id"], "timestamp": rows["timestamp"].map(clock.text)})
    for column in ("x1", "y1", "x2", "y2"):
        out[column] = rows[column].map(repr_float)
    out["action_id"] = rows["action_id"]
    out["score"] = rows["score"].to_numpy(dtype=np.float32)
    out["score"] = out["score"].map("{:.9g}".format)
    with durable_file(Path(path)) as file:
        out.to_csv(file, header=False, index=False)


def repr_float(value: float) -> str:
    """Write the shortest text that reads back as the same float64."""
    return repr(float(value))
