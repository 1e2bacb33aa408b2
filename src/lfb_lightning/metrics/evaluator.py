"""The seam at which a data set says how well its actions were found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float64

from lfb_lightning.structures import Detections


@runtime_checkable
class Evaluator(Protocol):
    """Collects the scores of a split and computes its figures, on any number of processes.

    Every process calls the same methods in the same order, `write` aside. Each item counts once, however often a
    distributed sampler repeats it. One that is a `torchmetrics.Metric` (or a module that holds one) gathers the
    processes' scores by itself; see `lfb_lightning.metrics.ItemScores` for a start.
    """

    @property
    def figures(self) -> Sequence[str]:
        """Names of what `compute` gives, the main figure first, such as `mAP`."""
        ...

    def update(self, detections: Detections) -> None:
        """Add the scores of a batch."""
        ...

    def compute(self) -> Mapping[str, float]:
        """Evaluate what all processes have collected since the last time, and forget it.

        Returns:
            A number per name in `figures`, equal on every process; nothing where the split has no truth.
        """
        ...

    def summary(self) -> dict[str, Any]:
        """Describe the last evaluation in plain values, for `metrics.json`: the figures by their names, and what else."""
        ...

    def write(self, folder: Path) -> Sequence[Path]:
        """Write the result files of the last evaluation into a run folder, on the first process.

        Returns:
            Their paths.
        """
        ...


class PrecisionRecall(NamedTuple):
    """The precision-recall curve of a class.

    Args:
        name: The class, for people.
        ap: Average precision, 0 to 1.
        precision: At each threshold, from the highest down.
        recall: The same of recall.
    """

    name: str
    ap: float
    precision: Float64[np.ndarray, " K"]
    recall: Float64[np.ndarray, " K"]


@runtime_checkable
class Curves(Protocol):
    """What an evaluator may offer too: curves to be drawn at the end of a training."""

    def curves(self) -> Sequence[PrecisionRecall]:
        """Give the curves of the last evaluation, the best class first; none where the split has no truth."""
        ...


@runtime_checkable
class ReadsLogits(Protocol):
    """What an evaluator may offer too: that it ranks logits, in the place of the loss's scores."""

    @property
    def reads_logits(self) -> bool:
        """Whether `update` is given logits."""
        ...


@runtime_checkable
class Headlined(Protocol):
    """What an evaluator of many figures may offer too: those that people look at."""

    @property
    def headline(self) -> Sequence[str]:
        """Names of some of `figures`, which the lines of epochs and tests show; `metrics.json` and loggers have all."""
        ...


def headline(evaluator: Evaluator) -> Sequence[str]:
    """Name the figures that lines show: those that an evaluator chooses, or all."""
    return evaluator.headline if isinstance(evaluator, Headlined) else evaluator.figures


def reads_logits(evaluator: Evaluator) -> bool:
    """Say whether an evaluator is given logits."""
    return isinstance(evaluator, ReadsLogits) and evaluator.reads_logits
