"""The evaluation of a result file with everything that a report shows of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64

from lfb_lightning.ava.action_groups import ava_groups
from lfb_lightning.ava.evaluation_csv import KEYS_PER_VIDEO, EvaluationTable, read_evaluation_csv
from lfb_lightning.ava.label_map import read_label_map
from lfb_lightning.metrics.box_rows import BoxRows
from lfb_lightning.metrics.csv_evaluation import number_frames, refuse_incomparable
from lfb_lightning.metrics.frame_ap import FrameAP, Protocol, assign, average_precision
from lfb_lightning.metrics.ranking import RankedClass, rank_assigned
from lfb_lightning.reporting.sources import Sources, require


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A result file, judged.

    Args:
        names: The name of each evaluated action id.
        groups: Action ids by the name of their group.
        result: AP and counts by action id, as `lfb-eval` gives them.
        ranked: The detections of each class by score, with the numbers of videos that all results of a report share.
        truth: The ground truth that counts.
        found: The detections that count.
        is_true: Whether each of `found` is a true positive.
        keys: Each keyframe, by its number in `truth` and `found`: the video's number x 2^44 + 2^43 + microseconds.
        annotated: The keys of the key frames that were annotated, with or without a person.
    """

    names: Mapping[int, str]
    groups: Mapping[str, Sequence[int]]
    result: FrameAP
    ranked: Sequence[RankedClass]
    truth: BoxRows
    found: BoxRows
    is_true: Bool[np.ndarray, " N"]
    keys: Int64[np.ndarray, " F"]
    annotated: Int64[np.ndarray, " A"]

    def truth_digest(self) -> str:
        """Digest what the result was judged by, classes and ground truth, whatever the order of its rows."""
        truth, keys = self.truth, self.keys
        boxes = truth.boxes[truth.box_of_row].view(np.int64)
        columns = np.column_stack([keys[truth.frames], truth.classes, boxes])
        ordered = np.ascontiguousarray(columns[np.lexsort(columns.T[::-1])])
        digest = hashlib.blake2b(repr(sorted(self.names.items())).encode("utf-8", "replace"), digest_size=16)
        digest.update(np.sort(self.annotated).tobytes())
        digest.update(ordered.tobytes())
        return digest.hexdigest()


class Evaluator:
    """Evaluates results one after the other; a file of ground truth is read once, and a video has one number in all.

    Args:
        protocol: Which published version of the official tool is followed; see `metrics.evaluate`.
    """

    def __init__(self, protocol: Protocol = "official") -> None:
        self.protocol = protocol
        self.videos: dict[str, int] = {}
        self._truth: dict[Path, EvaluationTable] = {}

    def evaluate(self, results: Path, sources: Sources) -> Evaluation:
        """Evaluate a result file.

        Args:
            results: Detections in AVA's csv form.
            sources: The ground truth and the label map.

        Raises:
            InputError: A file is missing or cannot be read, or no keyframe is in both files.
        """
        require(sources)
        assert sources.truth is not None
        assert sources.labels is not None
        label_map = read_label_map(sources.labels)
        if sources.classes is not None:
            label_map = label_map.restricted_to(sources.classes)
        if sources.truth not in self._truth:
            self._truth[sources.truth] = read_evaluation_csv(sources.truth)
        annotations, detections = self._truth[sources.truth], read_evaluation_csv(results)
        refuse_incomparable(detections, annotations, results, sources.truth)
        rows = number_frames(detections, annotations, sources.excluded, self.videos)
        truth, found, is_true = assign(
            rows.ground_truth,
            rows.detections,
            label_map.ids,
            protocol=self.protocol,
            annotated_frames=rows.annotated_frames,
        )
        ranked = list(rank_assigned(truth, found, is_true, rows.videos, label_map.ids))
        return Evaluation(
            names=label_map.names,
            groups=ava_groups(label_map) if sources.groups is None else sources.groups,
            result=_result(ranked),
            ranked=ranked,
            truth=truth,
            found=found,
            is_true=is_true,
            keys=rows.keys,
            annotated=rows.keys[rows.annotated_frames],
        )

    def video_id(self, key: int) -> str:
        """Return the video of a keyframe's key."""
        return list(self.videos)[key // KEYS_PER_VIDEO]


def second_of(key: int) -> float:
    """Return the timestamp of a keyframe's key."""
    return (key % KEYS_PER_VIDEO - KEYS_PER_VIDEO // 2) / 1e6


def _result(ranked: Sequence[RankedClass]) -> FrameAP:
    return FrameAP(
        {one.action_id: average_precision(one.scores, one.is_true, len(one.truth_videos)) for one in ranked},
        {one.action_id: len(one.truth_videos) for one in ranked},
        {one.action_id: len(one.scores) for one in ranked},
        {one.action_id: int(one.is_true.sum()) for one in ranked},
    )
