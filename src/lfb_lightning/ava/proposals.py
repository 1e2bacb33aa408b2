"""Person proposals by keyframe, from whichever file a user has; `proposal_files` lists the forms.

A keyframe without proposals has none: it never becomes a whole-frame box.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64

from lfb_lightning.ava.box_rules import BOX_COLUMNS
from lfb_lightning.ava.keyframe_rows import KeyframeList, KeyframeRows, keyframe_keys, number_videos
from lfb_lightning.ava.proposal_files import rows_of_csv, rows_of_json, rows_of_pickle
from lfb_lightning.clock import SECONDS, Clock
from lfb_lightning.collector import paused_collector
from lfb_lightning.errors import InputError
from lfb_lightning.structures import Keyframe, Proposals

_MOST_EXACT = 1 << 53  # a float64 is every whole number up to that
_ENDINGS = (".pkl", ".pickle", ".csv", ".json")


class ProposalTable:
    """Proposals by keyframe, best score first."""

    def __init__(self, rows: pd.DataFrame) -> None:
        """Take rows `video_id, timestamp, x1, y1, x2, y2, score`; timestamps in ticks of the data set's clock."""
        video_ids, videos = number_videos(rows["video_id"])
        keys = keyframe_keys(videos, rows["timestamp"].to_numpy())
        scores = rows["score"].to_numpy(dtype=np.float64)
        order = _best_first(keys, scores)
        self._boxes = np.empty((len(rows), 4))
        for corner, name in enumerate(BOX_COLUMNS):
            self._boxes[:, corner] = rows[name].to_numpy(dtype=np.float64)[order]
        self._scores = scores[order]
        self.persons = KeyframeRows(video_ids, keys[order])

    @property
    def boxes(self) -> Float64[np.ndarray, "N 4"]:
        """Every proposal's box, normalized xyxy, in the order of `persons`."""
        return self._boxes

    @property
    def scores(self) -> Float64[np.ndarray, " N"]:
        """The detector's confidence in every proposal."""
        return self._scores

    @property
    def keyframes(self) -> KeyframeList:
        """List the keyframes with at least one proposal of any score, sorted by video and time."""
        return self.persons.keyframes

    @cached_property
    def best_scores(self) -> Float64[np.ndarray, " K"]:
        """The best score at each keyframe."""
        return self._scores[self.persons.starts]

    def above(self, keyframe: Keyframe, threshold: float) -> Proposals:
        """Give a keyframe's proposals with a score of at least `threshold`; none for a keyframe without any."""
        rows = self.persons.rows(keyframe)
        kept = self._scores[rows] >= threshold
        return Proposals(boxes=self._boxes[rows][kept], scores=self._scores[rows][kept])

    def best(self, keyframe: Keyframe) -> Proposals:
        """Give the proposal with the best score, whatever it is; none for a keyframe that has none."""
        rows = self.persons.rows(keyframe)
        return Proposals(boxes=self._boxes[rows][:1], scores=self._scores[rows][:1])


def _best_first(keys: Int64[np.ndarray, " N"], scores: Float64[np.ndarray, " N"]) -> Int64[np.ndarray, " N"]:
    """Find what sorts by key, then by score from the best, equal ones in their order.

    As complex numbers, which numpy sorts by their real part, then by the other: twelve times quicker than by two columns, as
    the keys of a file are mostly in order.
    """
    if bool((keys >= _MOST_EXACT).any() or np.isnan(scores).any()):
        return np.lexsort((-scores, keys))
    both = np.empty(len(keys), dtype=np.complex128)
    both.real, both.imag = keys, -scores
    return np.argsort(both, kind="stable")


def read_proposals(path: str | Path, *, images: str | Path | None = None, clock: Clock = SECONDS) -> ProposalTable:
    """Read proposals by the file's ending: `.csv`, `.pkl` / `.pickle`, `.json`.

    Args:
        path: The file, with or without its ending: the first of these files that is there is read.
        images: The json that names a detection json's image ids, where that does not do so itself.
        clock: The data set's clock, whose ticks the keyframes count; the file's timestamps are seconds.

    Raises:
        InputError: Naming file and row or key.
    """
    return ProposalTable(read_proposal_rows(path, images=images, clock=clock))


def read_proposal_rows(path: str | Path, *, images: str | Path | None = None, clock: Clock = SECONDS) -> pd.DataFrame:
    """Read proposals as `read_proposals` does, as rows `video_id, timestamp, x1, y1, x2, y2, score` in any order."""
    path = _with_ending(Path(path))
    if path.suffix == ".csv":
        return rows_of_csv(path, clock)
    if path.suffix in (".pkl", ".pickle"):
        with paused_collector():
            return rows_of_pickle(path, clock)
    if path.suffix == ".json":
        return rows_of_json(path, None if images is None else Path(images), clock)
    raise InputError(f"proposals {path}: unknown ending {path.suffix!r}, expected .csv, .pkl or .json.")


def _with_ending(path: Path) -> Path:
    """Complete a path that lacks its ending by the first of the files that are there; InputError if none is."""
    is_named = path.suffix in _ENDINGS
    candidates = [path] if is_named else [path, *(Path(f"{path}{ending}") for ending in _ENDINGS)]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    missing = f"{path}: no such file" if is_named else f"{candidates[1]}: no such file, nor with another ending"
    raise InputError(f"proposals {missing}; set data.proposals to a .csv, .pkl or .json of person boxes.")
