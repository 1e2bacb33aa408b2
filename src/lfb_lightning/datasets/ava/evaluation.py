"""Frame-mAP of a split in AVA's formats, with the groups of actions and the files that AVA's users expect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from lfb_lightning.ava.results import write_results
from lfb_lightning.datasets.ava.tables import AvaTables
from lfb_lightning.metrics import FrameAP, FrameMeanAP
from lfb_lightning.metrics.collected_rows import video_hash
from lfb_lightning.metrics.description import describe_result
from lfb_lightning.metrics.evaluator import PrecisionRecall
from lfb_lightning.structures import Detections


class AvaEvaluator(nn.Module):
    """Evaluates detections against a split's annotations by mAP at IoU 0.5, as AVA's official tool does.

    A module, so that the collected detections live on the device whose processes exchange them.

    Args:
        tables: The split.
        action_threshold: A score of at most this is no detection; None: every score is one.
    """

    def __init__(self, tables: AvaTables, *, action_threshold: float | None = None) -> None:
        super().__init__()
        self._tables = tables
        self._groups = dict(tables.class_groups)
        self._metric = FrameMeanAP(tables.annotations, action_threshold=action_threshold)
        self._result: FrameAP | None = None

    @property
    def figures(self) -> Sequence[str]:
        """Name the figures: mAP over all classes, then over each group of classes."""
        return ["mAP", *(f"mAP_{name}" for name in self._groups)]

    def update(self, detections: Detections) -> None:
        """Add the detections of a batch of keyframes."""
        self._metric.update(detections)

    def compute(self) -> Mapping[str, float]:
        """Evaluate the detections of all processes, then forget them; nothing for a split without annotations."""
        self._metric.compute()
        self._metric.reset()
        self._result = self._metric.result
        assert self._result is not None
        if self._tables.is_without_truth:
            return {}
        groups = {f"mAP_{name}": self._result.mean_over(list(ids)) for name, ids in self._groups.items()}
        return {"mAP": self._result.mean, **groups}

    def summary(self) -> dict[str, Any]:
        """Give mAP overall, by group and by action id; for a split without annotations, the reason why there is none."""
        assert self._result is not None
        rows = self._metric.detections
        if self._tables.is_without_truth:
            return {
                "split": self._tables.name,
                "detections": len(rows),
                "keyframes": len(rows[["video_hash", "timestamp"]].drop_duplicates()),
                "no_mAP_because": f"annotations {self._tables.path(self._tables.data.annotations)}: no such file",
            }
        return describe_result(self._result, self._groups, self._tables.label_map.names)

    def curves(self) -> Sequence[PrecisionRecall]:
        """Give the curve of each action with annotated boxes, the best first."""
        assert self._result is not None
        found, names = self._result, self._tables.label_map.names
        best_first = sorted(found.curves, key=lambda action_id: -found.per_class[action_id])
        return [PrecisionRecall(names[one], found.per_class[one], *found.curves[one]) for one in best_first]

    def write(self, folder: Path) -> Sequence[Path]:
        """Write `results.csv`, in the form of AVA's challenge."""
        names = {video_hash(keyframe.video_id): keyframe.video_id for keyframe in self._tables.proposals.keyframes}
        rows = self._metric.detections
        write_results(
            folder / "results.csv", rows.assign(video_id=rows["video_hash"].map(names)), clock=self._tables.data.clock
        )
        return [folder / "results.csv"]
