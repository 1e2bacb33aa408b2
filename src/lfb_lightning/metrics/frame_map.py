"""Frame mAP as a `torchmetrics.Metric` that collects detections on every rank and counts each keyframe once.

A keyframe is identified by a hash of its video id and its timestamp; `collected_rows.py` says which rows count.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from lfb_lightning.ava.annotations import Annotations
from lfb_lightning.ava.box_rules import BOX_COLUMNS
from lfb_lightning.metrics.box_rows import BoxRows
from lfb_lightning.metrics.collected_rows import CollectedRows, keyframe_numbers, video_hash
from lfb_lightning.metrics.frame_ap import FrameAP, Protocol, evaluate
from lfb_lightning.movable import Constant
from lfb_lightning.structures import Detections


class FrameMeanAP(CollectedRows):
    """The mAP at IoU 0.5 over the keyframes of the given annotations.

    After `compute()`, `.result` holds the AP of each class, and `.detections` the detections of all ranks, with one row per
    person and action.

    Args:
        annotations: The ground truth.
        action_ids: The classes that are evaluated; by default those of the label map.
        protocol: Which published version of the official tool is followed; see `evaluate`.
        action_threshold: Scores up to this one are no detections; with None, every score is one.
    """

    higher_is_better = True

    def __init__(
        self,
        annotations: Annotations,
        *,
        action_ids: list[int] | None = None,
        protocol: Protocol = "official",
        action_threshold: float | None = None,
    ) -> None:
        ids = list(action_ids) if action_ids is not None else annotations.label_map.ids
        super().__init__(identity=2, width=4 + len(ids))  # a row: box, scores of `action_ids`
        self.annotations = annotations
        self.action_ids = ids
        self._columns = Constant(torch.tensor(ids, dtype=torch.long))
        self.protocol = protocol
        self.action_threshold = action_threshold
        self.detections = pd.DataFrame()
        self.result: FrameAP | None = None

    def update(self, detections: Detections) -> None:
        """Add the detections of a batch of keyframes; scores are read by action id, as columns."""
        if len(detections.boxes) == 0:
            return
        scores = detections.scores.double()
        scores = scores.index_select(1, self._columns.on(scores.device))
        rows = torch.cat([detections.boxes.double(), scores], dim=1)
        self.collect(keyframe_numbers(detections.keyframes), detections.clip_of_roi, rows)

    def compute(self) -> Tensor:
        """Evaluate what all ranks have collected; returns the mAP as a float64 scalar, 0 to 1."""
        keys, values = self.unique_rows()
        truth = self.annotations.rows
        moments = pd.concat([truth[["video_id", "timestamp"]], self.annotations.empty], ignore_index=True)
        ids = moments["video_id"].astype("category").cat
        hashes = np.array([video_hash(name) for name in ids.categories], dtype=np.int64)
        truth_keys = np.stack([hashes[ids.codes.to_numpy()], moments["timestamp"].to_numpy(dtype=np.int64)], axis=1)
        frames = np.unique(np.concatenate([truth_keys, keys[:, :2]]), axis=0, return_inverse=True)[1].reshape(-1)
        ground_truth = BoxRows(
            frames[: len(truth)],
            truth["action_id"].to_numpy(dtype=np.int64),
            truth["person_id"].to_numpy(dtype=np.float64),
            np.arange(len(truth)),
            truth[BOX_COLUMNS].to_numpy(dtype=np.float64),
        )
        num_actions = len(self.action_ids)
        persons = np.repeat(np.arange(len(keys)), num_actions)
        actions = np.tile(np.array(self.action_ids, dtype=np.int64), len(keys))
        scores = values[:, 4:].reshape(-1)
        if self.action_threshold is not None:
            above = scores > self.action_threshold
            persons, actions, scores = persons[above], actions[above], scores[above]
        detections = BoxRows(frames[len(moments) :][persons], actions, scores, persons, values[:, :4])
        self.detections = pd.DataFrame(values[:, :4][persons], columns=BOX_COLUMNS)
        self.detections["video_hash"] = keys[persons, 0]
        self.detections["timestamp"] = keys[persons, 1]
        self.detections["action_id"] = detections.classes
        self.detections["score"] = detections.scores
        self.result = evaluate(
            ground_truth,
            detections,
            self.action_ids,
            protocol=self.protocol,
            annotated_frames=np.unique(frames[: len(moments)]),
        )
        return torch.tensor(self.result.mean, dtype=torch.float64)
