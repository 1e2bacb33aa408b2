"""The evaluator of videos: scores of any number of views on every rank become the mAP over videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Shaped
from torch import nn

from lfb_lightning.charades.submission import write_scores
from lfb_lightning.metrics.item_scores import ItemScores
from lfb_lightning.metrics.video_map import video_mean_ap, weighted_mean
from lfb_lightning.structures import Detections


class VideoMeanAP(nn.Module):
    """Evaluates the scores of videos, each the maximum over its views; an `Evaluator`.

    A view counts once, however often a sampler repeats it. A video that has truth and no score ranks behind all others, as
    the official program has it; `summary` says how many there are.

    Args:
        video_ids: The videos; an item's number is its place here.
        labels: Whether each class occurs in each video, `[V, C]`; None for a split without annotations.
        names: The name of each class by its number, which is its column of scores.
        ties: See `video_mean_ap`.
        unlabeled: See `video_mean_ap`.
        groups: Classes by the name of a group, for a mean over each.
        reads_logits: Whether it is given logits and not probabilities, which are equal from some size of the logits on.
    """

    def __init__(
        self,
        *,
        video_ids: Sequence[str],
        labels: Shaped[np.ndarray, "V C"] | None,
        names: Mapping[int, str],
        ties: str = "threshold",
        unlabeled: str = "drop",
        groups: Mapping[str, Sequence[int]] | None = None,
        reads_logits: bool = False,
    ) -> None:
        super().__init__()
        assert labels is None or labels.shape == (len(video_ids), len(names))
        self.reads_logits = reads_logits
        self._video_ids = list(video_ids)
        self._labels = labels
        self._names = dict(names)
        self._rules = {"ties": ties, "unlabeled": unlabeled}
        self._groups = {name: list(classes) for name, classes in (groups or {}).items()}
        self._metric = ItemScores(columns=len(names), reduce="max")
        self._items = np.zeros(0, dtype=np.int64)
        self._scores = np.zeros((0, len(names)))
        self._per_class = np.full(len(names), np.nan)
        self._figures: dict[str, float] = {}

    @property
    def figures(self) -> Sequence[str]:
        """Name the figures: mAP over all classes, then over each group of classes."""
        return ["mAP", *(f"mAP_{name}" for name in self._groups)]

    def update(self, detections: Detections) -> None:
        """Add the scores of a batch of views."""
        self._metric.update(detections)

    def compute(self) -> Mapping[str, float]:
        """Evaluate the scores of all processes, then forget them; nothing for a split without annotations."""
        self._items, self._scores = self._metric.compute()
        self._metric.reset()
        if self._labels is None:
            return {}
        table = np.full((len(self._video_ids), len(self._names)), -np.inf)
        table[self._items] = self._scores
        self._per_class, mean = video_mean_ap(table, self._labels, **self._rules)
        groups = {f"mAP_{name}": _mean(self._per_class[classes]) for name, classes in self._groups.items()}
        self._figures = {"mAP": mean, **groups}
        return self._figures

    def summary(self) -> dict[str, Any]:
        """Give mAP overall, by group and by class, and how many videos have scores."""
        counts = {"videos": len(self._items), "videos_without_scores": len(self._video_ids) - len(self._items)}
        if self._labels is None:
            return {**counts, "no_mAP_because": "the split has no annotations"}
        positives = self._labels.astype(bool).sum(axis=0)
        return {
            "mAP": self._figures["mAP"],
            "WAP": weighted_mean(self._per_class, self._labels),
            "groups": {name: self._figures[f"mAP_{name}"] for name in self._groups},
            "per_class": {str(key): float(self._per_class[key]) for key in self._names},
            "names": {str(key): name for key, name in self._names.items()},
            "num_ground_truth": {str(key): int(positives[key]) for key in self._names},
            "counted": "videos",
            **counts,
            **self._rules,
        }

    def write(self, folder: Path) -> Sequence[Path]:
        """Write `results.txt`, which the official program and `lfb-eval protocol=charades` take."""
        write_scores(folder / "results.txt", [self._video_ids[item] for item in self._items], self._scores)
        return [folder / "results.txt"]


def _mean(values: np.ndarray) -> float:
    judged = values[~np.isnan(values)]
    return float(judged.mean()) if len(judged) else float("nan")
