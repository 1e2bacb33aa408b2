"""Csv files as the official evaluator reads them, for any tool's results: tolerant where it is, refusing the rest by row.

Rows have 8 columns; 7 leave the score to be 1; 2 (`video_id,timestamp`) mark a keyframe that is scored though nobody is
in it. Timestamps may be fractional and padded: `902`, `0902` and `902.000000` are one keyframe.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lfb_lightning.ava.csv_rows import numbers, read_csv_rows

_COLUMNS = ["video_id", "timestamp", "x1", "y1", "x2", "y2", "action_id", "score"]


@dataclass(frozen=True, slots=True)
class EvaluationTable:
    """`rows` with the columns above as numbers; `marked` lists the keyframe keys of two-column rows."""

    rows: pd.DataFrame
    marked: list[str]


def read_evaluation_csv(path: str | Path) -> EvaluationTable:
    """Read ground truth (8th column: person id) or detections (score); raises InputError naming file and row."""
    table = read_csv_rows(path, _COLUMNS, what="csv", optional=6)
    keys = keyframe_keys(table, path)
    boxless = table["x1"].isna()
    rows = table[~boxless]
    numeric = pd.DataFrame({"key": keys[~boxless.to_numpy()]})
    for column in ("x1", "y1", "x2", "y2"):
        numeric[column] = numbers(rows, column, path)
    numeric["action_id"] = numbers(rows, "action_id", path, integer=True)
    numeric["score"] = numbers(rows.fillna({"score": "1.0"}), "score", path)
    return EvaluationTable(numeric, keys[boxless.to_numpy()].tolist())


def keyframe_keys(table: pd.DataFrame, path: str | Path) -> np.ndarray:
    """`video_id,timestamp` texts with six decimals, equal for equal keyframes."""
    timestamps = numbers(table, "timestamp", path)
    distinct, index = np.unique(timestamps, return_inverse=True)
    texts = np.array([f",{value:.6f}" for value in distinct.tolist()], dtype=object)
    return table["video_id"].to_numpy(dtype=object) + texts[index] if len(table) else np.zeros(0, dtype=object)
