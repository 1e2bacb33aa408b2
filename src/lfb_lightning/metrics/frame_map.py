"""Frame mAP as a `torchmetrics.Metric` that collects detections on every rank and counts each keyframe once.

Ranks exchange numbers only: a keyframe is identified by a hash of its video id and its timestamp. If a distributed sampler
gave a keyframe to two ranks, or twice to one, the detections that the lowest rank saw first are counted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.distributed as dist
from jaxtyping import Int64
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.distributed import gather_all_tensors

from lfb_lightning.ava.annotations import Annotations
from lfb_lightning.ava.box_rules import BOX_COLUMNS
from lfb_lightning.metrics.box_rows import BoxRows
from lfb_lightning.metrics.frame_ap import FrameAP, Protocol, evaluate
from lfb_lightning.structures import Detections

_MASK = 0x7FFFFFFFFFFFFFFF


class FrameMeanAP(Metric):
    """The mAP at IoU 0.5 over the keyframes of the given annotations.

    After `compute()`, `.result` holds the AP of each class, and `.detections` the detections of all ranks, with one row per
    person and action.

    Args:
        annotations: The ground truth.
        action_ids: The classes that are evaluated; by default those of the label map.
        protocol: Which published version of the official tool is followed; see `evaluate`.
        action_threshold: Scores up to this one are no detections; with None, every score is one.
    """

    full_state_update = False
    higher_is_better = True

    keys: list[Tensor]
    values: list[Tensor]

    def __init__(
        self,
        annotations: Annotations,
        *,
        action_ids: list[int] | None = None,
        protocol: Protocol = "official",
        action_threshold: float | None = None,
    ) -> None:
        super().__init__()
        self.annotations = annotations
        self.action_ids = list(action_ids) if action_ids is not None else annotations.label_map.ids
        self.protocol = protocol
        self.action_threshold = action_threshold
        self.detections = pd.DataFrame()
        self.result: FrameAP | None = None
        # [rows, 3]: video hash, timestamp, order of arrival; [rows, 4 + actions]: box, scores of `action_ids`
        self.add_state("keys", default=[], dist_reduce_fx="cat")
        self.add_state("values", default=[], dist_reduce_fx="cat")
        self._arrivals = 0

    def update(self, detections: Detections) -> None:
        """Add the detections of a batch of keyframes; scores are read by action id, as columns."""
        if len(detections.boxes) == 0:
            return
        video = torch.tensor([video_hash(keyframe.video_id) for keyframe in detections.keyframes])
        timestamp = torch.tensor([keyframe.timestamp for keyframe in detections.keyframes])
        rank = dist.get_rank() if dist.is_available() and dist.is_initialized() else 0
        arrival = (rank << 48) + self._arrivals + torch.arange(len(detections.keyframes))
        self._arrivals += len(detections.keyframes)
        clip = detections.clip_of_roi.long().cpu()
        self.keys.append(torch.stack([video, timestamp, arrival], dim=1)[clip].to(self.device))
        scores = detections.scores.double()[:, self.action_ids]
        self.values.append(torch.cat([detections.boxes.double(), scores], dim=1).to(self.device))

    def _sync_dist(self, dist_sync_fn: Callable[..., Any] = gather_all_tensors, process_group: Any = None) -> None:
        # A rank that saw no person must gather too, with zero rows: torchmetrics would leave it out, and the others wait.
        if not self.keys:
            self.keys.append(torch.zeros(0, 3, dtype=torch.long, device=self.device))
            self.values.append(torch.zeros(0, 4 + len(self.action_ids), dtype=torch.double, device=self.device))
        super()._sync_dist(dist_sync_fn, process_group=process_group)

    def compute(self) -> Tensor:
        """Evaluate what all ranks have collected; returns the mAP as a float64 scalar, 0 to 1."""
        keys, values = self._unique_rows()
        truth, moments = self.annotations.rows, self.annotations.moments
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

    def _unique_rows(self) -> tuple[Int64[np.ndarray, "N 3"], np.ndarray]:
        if not len(self.keys):
            return np.zeros((0, 3), dtype=np.int64), np.zeros((0, 4 + len(self.action_ids)))
        keys = _joined(self.keys).cpu().numpy()
        values = _joined(self.values).cpu().numpy()
        order = np.lexsort((keys[:, 2], keys[:, 1], keys[:, 0]))
        keys, values = keys[order], values[order]
        new = np.ones(len(keys), dtype=bool)
        new[1:] = (keys[1:, :2] != keys[:-1, :2]).any(axis=1)
        first_arrival = keys[:, 2][new][np.cumsum(new) - 1]
        kept = keys[:, 2] == first_arrival
        return keys[kept], values[kept]


def video_hash(video_id: str) -> int:
    """Return a number of 63 bits that stands for a video id when ranks exchange detections."""
    return int.from_bytes(hashlib.blake2b(video_id.encode(), digest_size=8).digest(), "little") & _MASK


def _joined(state: list[Tensor] | Tensor) -> Tensor:
    return torch.cat(state) if isinstance(state, list) else state
