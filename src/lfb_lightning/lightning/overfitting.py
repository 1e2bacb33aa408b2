"""Learning one batch by heart, to find out in a minute whether labels, boxes and pixels belong together.

Three things are measured. The loss of the batch, as the detector learns it. The loss that can be had *without looking*: of
the best answer that is the same for every region. And whether what was learned holds for *neighbors*, the nearest other clips
of the same videos: of a region that shows an action and one that does not, how often the first has the higher score.

A network learns any labels by heart if its regions look different. So a loss near zero says that labels arrive and that
pixels differ; a loss that stays where one gets without looking says that regions with different labels look the same. Only
the neighbors tell right labels from shuffled ones. That seconds are counted from a wrong moment shows in neither, if what is
seen changes slowly: that is for the eye.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from lfb_lightning.errors import InputError
from lfb_lightning.models import ActionDetector
from lfb_lightning.structures import ClipBatch

_LEARNED = 0.1  # of the loss without looking: what is below it is learned
_ENOUGH = 0.02  # of it: learning ends early
_HOLDS = 0.7  # of the pairs among the neighbors that must be right; half of them are by chance
_FEWEST_PAIRS = 200  # on which that is judged
_NOTHING_TO_LEARN = 1e-3  # a loss without looking that is below it: all regions have the same labels
_BLIND_STEPS, _BLIND_LR = 400, 0.3

Verdict = Literal["right", "learned", "by heart", "not learned", "nothing to learn"]


@dataclass(frozen=True, slots=True)
class ClassFit:
    """What became of an action of the batch.

    Args:
        regions: How many regions show it.
        of: How many regions there are.
        learned: Whether each of them scores above all that do not; None where all show it.
    """

    regions: int
    of: int
    learned: bool | None


@dataclass(frozen=True, slots=True)
class Fit:
    """The outcome of learning a batch.

    Args:
        steps: Optimizer steps that were made.
        first: The loss at the beginning.
        last: The loss at the end, in evaluation mode.
        blind: The loss without looking.
        classes: The batch's actions by column.
        neighbors: The number of neighboring clips.
        pairs: Pairs of a region with an action and one without it, among the neighbors.
        pairs_right: The share of the pairs in which the first has the higher score; a tie is half right.
    """

    steps: int
    first: float
    last: float
    blind: float
    classes: Mapping[int, ClassFit] = field(default_factory=dict)
    neighbors: int = 0
    pairs: int = 0
    pairs_right: float | None = None

    @property
    def verdict(self) -> Verdict:
        """Judge it: see the module's text."""
        if self.blind < _NOTHING_TO_LEARN:
            return "nothing to learn"
        if not self.last < _LEARNED * self.blind:
            return "not learned"
        if self.pairs_right is None or self.pairs < _FEWEST_PAIRS:
            return "learned"
        return "right" if self.pairs_right >= _HOLDS else "by heart"


class Overfitting:
    """The settings of `debug=overfit`.

    Args:
        steps: Optimizer steps at most.
        lr: Learning rate of Adam, whatever the run's own optimizer is.

    Raises:
        InputError: A value is out of its range.
    """

    def __init__(self, *, steps: int = 300, lr: float = 2e-3) -> None:
        if steps < 1 or not lr > 0:
            raise InputError(f"overfit.steps is {steps} and overfit.lr is {lr}, expected at least 1 and more than 0.")
        self.steps = steps
        self.lr = lr

    def fit(self, detector: ActionDetector, loss: Any, batch: ClipBatch, neighbors: ClipBatch | None) -> Fit:
        """Learn a batch, without dropout, and look at its neighbors.

        Args:
            detector: What learns; it is changed.
            loss: A `models.Loss`.
            batch: Labeled clips, normalized, on the detector's device.
            neighbors: Such clips beside them; None if there are none.
        """
        labels = _labels(batch, detector.num_classes)
        blind = _without_looking(loss, labels)
        parameters = [*detector.parameters(), *loss.parameters()]
        optimizer = torch.optim.Adam([one for one in parameters if one.requires_grad], lr=self.lr)
        detector.train()
        for module in detector.modules():
            if isinstance(module, _DropoutNd):
                module.eval()
        first, steps = float("nan"), 0
        for steps in range(1, self.steps + 1):
            value = _mean(loss, _logits(detector, batch), labels)
            first = value.item() if steps == 1 else first
            optimizer.zero_grad()
            value.backward()
            nn.utils.clip_grad_norm_(parameters, 20.0)
            optimizer.step()
            if value.item() < _ENOUGH * blind:
                break
        detector.eval()
        with torch.inference_mode():
            logits = _logits(detector, batch)
            last = _mean(loss, logits, labels).item()
            classes = _classes(loss.scores(logits), labels.bool())
            pairs, right = 0, 0.0
            if neighbors is not None and classes:
                theirs = _labels(neighbors, detector.num_classes).bool()
                columns = [column for column, fit in classes.items() if fit.learned is not None]
                pairs, right = _pairs(loss.scores(_logits(detector, neighbors)), theirs, columns)
        return Fit(
            steps=steps,
            first=first,
            last=last,
            blind=blind,
            classes=classes,
            neighbors=0 if neighbors is None else len(neighbors.keyframes),
            pairs=pairs,
            pairs_right=right / pairs if pairs else None,
        )


def _logits(detector: ActionDetector, batch: ClipBatch) -> Float[Tensor, "R A"]:
    if batch.short_term is not None:
        return detector.classify(batch.short_term, batch.window, batch.clip_of_roi)
    assert batch.clips is not None
    logits: Tensor = detector(batch.clips, batch.rois, batch.window)
    return logits


def _labels(batch: ClipBatch, columns: int) -> Float[Tensor, "R A"]:
    assert batch.labels is not None
    return F.pad(batch.labels, (0, columns - batch.labels.shape[1]))


def _mean(loss: Any, logits: Float[Tensor, "R A"], labels: Float[Tensor, "R A"]) -> Float[Tensor, ""]:
    total, count = loss.sum(logits, labels)
    mean: Tensor = total / count.clamp(min=1.0)
    return mean


def _without_looking(loss: Any, labels: Float[Tensor, "R A"]) -> float:
    """Find the least loss of one answer for all regions."""
    answer = torch.zeros(1, labels.shape[1], device=labels.device, requires_grad=True)
    optimizer = torch.optim.Adam([answer], lr=_BLIND_LR)
    best = float("inf")
    for _ in range(_BLIND_STEPS):
        value = _mean(loss, answer.expand_as(labels), labels)
        best = min(best, value.item())
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return best


def _classes(scores: Float[Tensor, "R A"], labels: Bool[Tensor, "R A"]) -> dict[int, ClassFit]:
    found = {}
    for column in labels.any(dim=0).nonzero().flatten().tolist():
        shown = labels[:, column]
        learned = None
        if not shown.all():
            learned = bool(scores[shown, column].min() > scores[~shown, column].max())
        found[column] = ClassFit(int(shown.sum()), len(shown), learned)
    return found


def _pairs(scores: Float[Tensor, "R A"], labels: Bool[Tensor, "R A"], columns: Sequence[int]) -> tuple[int, float]:
    """Count the pairs of each column, and those in the right order."""
    number, right = 0, 0.0
    for column in columns:
        shown = labels[:, column]
        difference = scores[shown, column][:, None] - scores[~shown, column][None, :]
        number += difference.numel()
        right += float((difference > 0).sum()) + 0.5 * float((difference == 0).sum())
    return number, right
