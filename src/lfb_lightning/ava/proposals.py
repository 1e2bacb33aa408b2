"""Person proposals by keyframe, from the two forms that AVA's users have.

* FAIR's dense pickle: `{"VIDEO,0902": array [P, 5] of x1,y1,x2,y2,score}`, unsorted, low scores included. It is read by
  an unpickler that knows numpy's arrays and nothing else.
* FAIR's csv: `video_id,second,x1,y1,x2,y2,label,score` (label empty, or -1, or one row per transferred label).

A keyframe without proposals has none: it never becomes a whole-frame box.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from lfb_lightning.array_pickle import load_arrays
from lfb_lightning.ava.csv_rows import numbers, read_csv_rows
from lfb_lightning.ava.keyframe_rows import KeyframeRows, sort_by_keyframe
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe, Proposals

CSV_COLUMNS = ["video_id", "timestamp", "x1", "y1", "x2", "y2", "label", "score"]
BOX_COLUMNS = ["x1", "y1", "x2", "y2"]


class ProposalTable:
    """Proposals by keyframe, best score first."""

    def __init__(self, rows: pd.DataFrame) -> None:
        """Take rows `video_id, timestamp, x1, y1, x2, y2, score`."""
        rows = sort_by_keyframe(rows.sort_values("score", ascending=False, kind="stable"))
        self._boxes = rows[BOX_COLUMNS].to_numpy(dtype=np.float64)
        self._scores = rows["score"].to_numpy(dtype=np.float64)
        self._keyframes = KeyframeRows(rows["video_id"].to_numpy(dtype=object), rows["timestamp"].to_numpy())

    @property
    def keyframes(self) -> list[Keyframe]:
        """Keyframes with at least one proposal of any score, sorted by video and time."""
        return self._keyframes.keyframes

    def above(self, keyframe: Keyframe, threshold: float) -> Proposals:
        """Proposals of a keyframe with a score of at least `threshold`; none for a keyframe that has none."""
        rows = self._keyframes.rows(keyframe)
        kept = self._scores[rows] >= threshold
        return Proposals(boxes=self._boxes[rows][kept], scores=self._scores[rows][kept])


def read_proposals(path: str | Path) -> ProposalTable:
    """Read proposals by the file's ending: `.csv`, or `.pkl` / `.pickle`. Raises InputError naming file and key."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"proposals {path}: no such file; set data.proposals to a FAIR .pkl or .csv of person boxes.")
    if path.suffix == ".csv":
        return ProposalTable(_rows_from_csv(path))
    if path.suffix in (".pkl", ".pickle"):
        return ProposalTable(_rows_from_pickle(path))
    raise InputError(f"proposals {path}: unknown ending {path.suffix!r}, expected .csv or .pkl.")


def _rows_from_csv(path: Path) -> pd.DataFrame:
    table = read_csv_rows(path, CSV_COLUMNS, what="proposals")
    rows = pd.DataFrame({"video_id": table["video_id"]})
    rows["timestamp"] = numbers(table, "timestamp", path, integer=True)
    for column in [*BOX_COLUMNS, "score"]:
        rows[column] = numbers(table, column, path)
    return rows.drop_duplicates(ignore_index=True)  # one row per transferred label: the same box again


def _rows_from_pickle(path: Path) -> pd.DataFrame:
    content = load_arrays(path, what="proposals")
    if not isinstance(content, dict):
        raise InputError(
            f"proposals {path}: holds a {type(content).__name__}, expected a dict of 'VIDEO,0902' -> boxes."
        )
    video_ids: list[str] = []
    timestamps: list[int] = []
    arrays: list[np.ndarray] = []
    for key, value in content.items():
        video_id, separator, second = str(key).rpartition(",")
        boxes = np.asarray(value, dtype=np.float64)
        if not separator or not second.strip().isdigit():
            raise InputError(f"proposals {path}: key {key!r}, expected 'VIDEO,0902'.")
        if boxes.size == 0:
            continue
        if boxes.ndim != 2 or boxes.shape[1] != 5:
            raise InputError(f"proposals {path}: key {key!r} has shape {boxes.shape}, expected [P, 5].")
        video_ids.append(video_id)
        timestamps.append(int(second))
        arrays.append(boxes)
    counts = [len(boxes) for boxes in arrays]
    rows = pd.DataFrame(np.concatenate(arrays) if arrays else np.zeros((0, 5)), columns=[*BOX_COLUMNS, "score"])
    rows.insert(0, "timestamp", np.repeat(np.array(timestamps, dtype=np.int64), counts))
    rows.insert(0, "video_id", np.repeat(np.array(video_ids, dtype=object), counts))
    return rows
