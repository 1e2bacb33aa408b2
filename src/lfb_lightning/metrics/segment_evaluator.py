"""The evaluator of segments: scores of verbs and nouns on every rank become the official accuracies."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch import nn

from lfb_lightning.epic.submission import write_submission
from lfb_lightning.files.durable import durable_file
from lfb_lightning.metrics.item_scores import ItemScores
from lfb_lightning.metrics.segment_accuracy import HEADS, official_names, segment_accuracy
from lfb_lightning.structures import Detections

_LEAST_LOGIT = math.log(float(np.finfo(np.float32).tiny))  # in files, which hold finite numbers of 32 bits


class SegmentAccuracy(nn.Module):
    """Evaluates the probabilities of verbs, of nouns, or of both, side by side in the columns of scores; an `Evaluator`.

    A view of a segment counts once, however often a sampler repeats it, and the probabilities of several views are averaged.
    A segment without a score does not count, as in the official program; `summary` says how many there are.

    Args:
        segment_ids: The segments; an item's number is its place here.
        heads: Columns of each head, in their order: `{"verb": 97, "noun": 300}`.
        labels: The true class of each segment by head, `[N]` each; None for a split without labels.
        participants: Who recorded each segment; needed with `unseen`.
        tail: See `segment_accuracy`.
        unseen: See `segment_accuracy`.
        prior: See `segment_accuracy`.
    """

    def __init__(
        self,
        *,
        segment_ids: Sequence[str],
        heads: Mapping[str, int],
        labels: Mapping[str, Int[np.ndarray, " N"]] | None,
        participants: Sequence[str] | None = None,
        tail: Mapping[str, Collection[int]] | None = None,
        unseen: Collection[str] | None = None,
        prior: Float[np.ndarray, "V M"] | None = None,
    ) -> None:
        super().__init__()
        assert heads
        assert set(heads) <= set(HEADS)
        self._segment_ids = list(segment_ids)
        self._heads = dict(heads)
        self._labels = labels
        self._participants = None if participants is None else np.array(participants, dtype=str)
        self._tail, self._unseen, self._prior = tail, unseen, prior
        self._metric = ItemScores(columns=sum(heads.values()), reduce="mean")
        self._items = np.zeros(0, dtype=np.int64)
        self._logits: dict[str, np.ndarray] = {}
        self._figures: dict[str, float] = {}

    @property
    def figures(self) -> Sequence[str]:
        """Name the figures officially, the best action (or the only head's best class) first."""
        tasks = ["action", *self._heads] if len(self._heads) == len(HEADS) else [*self._heads]
        parts = [
            "all",
            *(["tail"] if self._tail is not None else []),
            *(["unseen"] if self._unseen is not None else []),
        ]
        return [
            f"{part}_{task}_accuracy_at_{k}"
            for part in parts
            for task in tasks
            for k in ((1, 5) if part == "all" else (1,))
        ]

    @property
    def headline(self) -> Sequence[str]:
        """Name the best class's figures over all segments; of one head those of the best five, too."""
        return [
            name for name in self.figures if name.startswith("all_") and (len(self._heads) < 2 or name[-2:] == "_1")
        ]

    def update(self, detections: Detections) -> None:
        """Add the probabilities of a batch of views."""
        self._metric.update(detections)

    def compute(self) -> Mapping[str, float]:
        """Evaluate the scores of all processes, then forget them; nothing for a split without labels."""
        self._items, scores = self._metric.compute()
        self._metric.reset()
        self._logits, first = {}, 0
        for head, width in self._heads.items():
            mine = scores[:, first : first + width]
            self._logits[head] = np.log(mine, out=np.where(np.isnan(mine), np.nan, -np.inf), where=mine > 0)
            first += width
        if self._labels is None:
            return {}
        found = segment_accuracy(
            self._logits,
            {head: np.asarray(self._labels[head])[self._items] for head in self._heads},
            participants=None if self._participants is None else self._participants[self._items],
            tail=self._tail,
            unseen=self._unseen,
            prior=self._prior,
        )
        named = official_names(found)
        self._figures = {name: named[name] for name in self.figures}
        return self._figures

    def summary(self) -> dict[str, Any]:
        """Give the percentages by their official names, and how many segments have scores."""
        counts = {"segments": len(self._items), "segments_without_scores": len(self._segment_ids) - len(self._items)}
        if self._labels is None:
            return {**counts, f"no_{self.figures[0]}_because": "the split has no labels"}
        return {**self._figures, **counts, "truth_digest": self._truth_digest(self._labels)}

    def _truth_digest(self, labels: Mapping[str, Int[np.ndarray, " N"]]) -> str:
        """What the scored segments show, in a few letters: by it a report knows results that can be compared."""
        digest = hashlib.sha256(str([self._segment_ids[item] for item in self._items]).encode())
        for head in self._heads:
            digest.update(str(np.asarray(labels[head])[self._items].tolist()).encode())
        return digest.hexdigest()[:16]

    def write(self, folder: Path) -> Sequence[Path]:
        """Write `results.npz`, which `lfb-eval` takes; for a split without labels also `test.zip`, the submission."""
        ids = [self._segment_ids[item] for item in self._items]
        tables = {head: np.maximum(values, _LEAST_LOGIT).astype(np.float32) for head, values in self._logits.items()}
        arrays = {f"{head}_output": values for head, values in tables.items()}
        with durable_file(folder / "results.npz") as file:
            np.savez(file, narration_id=np.array(ids, dtype=str), **arrays)
        if self._labels is not None or len(tables) < len(HEADS):
            return [folder / "results.npz"]
        write_submission(folder / "test.zip", ids, verbs=tables["verb"], nouns=tables["noun"])
        return [folder / "results.npz", folder / "test.zip"]
