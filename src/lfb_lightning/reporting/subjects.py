"""What a report is about: runs, and result files of any tool, each with its evaluation where the ground truth is there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lfb_lightning.errors import InputError
from lfb_lightning.reporting.evaluation import Evaluation, Evaluator
from lfb_lightning.reporting.run_folder import RunFolder
from lfb_lightning.reporting.sources import Sources, missing, sources_of_run

_SAME = 1e-6  # metrics.json has the evaluator's own number, results.csv nine digits of each score


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A run, or a result file.

    Args:
        name: What the report calls it.
        place: The folder or file.
        kind: `training`, `test` or `result`.
        sources: Where its ground truth and its videos are.
        run: What its folder holds; None for a result file.
        evaluation: Its detections, judged; None where they or the ground truth are not there.
        notes: What the reader must know of it, in sentences.
    """

    name: str
    place: str
    kind: str
    sources: Sources
    run: RunFolder | None = None
    evaluation: Evaluation | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The content of `metrics.json`; empty for a result file."""
        return {} if self.run is None else self.run.metrics

    @property
    def main_figure(self) -> str:
        """The name of the figure by which runs are compared."""
        return "mAP" if self.evaluation is not None else str(self.metrics.get("main_figure", "mAP"))

    @property
    def score(self) -> float | None:
        """The main figure, if it is known."""
        value = self.metrics.get(self.main_figure) if self.evaluation is None else self.evaluation.result.mean
        return as_number(value)


def subject_of_run(run: RunFolder, typed: Mapping[str, Any], evaluator: Evaluator) -> Subject:
    """Describe a run; its results are evaluated if ground truth and label map are found.

    Args:
        run: The run folder.
        typed: Sources that the user gave, by the names of `Sources`; None where they did not.
        evaluator: Evaluates its `results.csv`.

    Raises:
        InputError: The user gave sources by which the results cannot be evaluated.
    """
    sources = sources_of_run(run.config).overlaid(typed)
    notes, evaluation = list(run.notes), None
    if run.results is not None:
        reason = missing(sources)
        try:
            evaluation = evaluator.evaluate(run.results, sources) if reason is None else None
        except InputError as error:
            if typed.get("truth") is not None:
                raise
            reason = str(error)
        if reason is not None:
            notes.append(f"The results are not judged again: {reason} What is shown is what metrics.json says.")
    subject = Subject(
        name=run.name,
        place=str(run.path),
        kind="training" if run.log is not None else "test",
        sources=sources,
        run=run,
        evaluation=evaluation,
        notes=notes,
    )
    stored = as_number(run.metrics.get("mAP"))
    if evaluation is not None and stored is not None and not abs(stored - evaluation.result.mean) < _SAME:
        notes.append(
            f"metrics.json says mAP {stored:.6f}; by the ground truth {sources.truth}, results.csv has "
            f"{evaluation.result.mean:.6f}, which is shown here."
        )
    if why := run.metrics.get("no_mAP_because"):
        notes.append(f"There is no mAP: {why}.")
    return subject


def subject_of_results(path: Path, typed: Mapping[str, Any], evaluator: Evaluator) -> Subject:
    """Describe a result file of any tool.

    Args:
        path: Detections in AVA's csv form.
        typed: The sources, by the names of `Sources`; None where the user gave none.
        evaluator: Evaluates the file.

    Raises:
        InputError: Ground truth or label map are missing, or a file cannot be read.
    """
    sources = Sources().overlaid(typed)
    return Subject(
        name=path.name, place=str(path), kind="result", sources=sources, evaluation=evaluator.evaluate(path, sources)
    )


def as_number(value: object) -> float | None:
    """Return a finite number; None for anything else."""
    usable = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if usable else None  # type: ignore[arg-type]
