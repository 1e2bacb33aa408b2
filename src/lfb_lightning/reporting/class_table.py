"""The classes of all subjects side by side: average precision, counts, and the curve of precision over recall."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lfb_lightning.metrics.ranking import RankedClass
from lfb_lightning.reporting.subjects import Subject, as_number

_POINTS = 120  # of a curve
_ONE = 65_535


def class_table(subjects: Sequence[Subject]) -> list[dict[str, Any]]:
    """List every class of any subject; one of the same id and another name is another class.

    Args:
        subjects: Runs and results.

    Returns:
        Per class its id, name and ground-truth boxes, and per subject AP, counts and curve, or None.
    """
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for place, subject in enumerate(subjects):
        for key, name, entry in _entries(subject):
            row = rows.setdefault((key, name), {"id": key, "name": name, "truth": None, "runs": [None] * len(subjects)})
            row["truth"] = entry["truth"] if row["truth"] is None else row["truth"]
            row["runs"][place] = entry
    return list(rows.values())


def group_table(subjects: Sequence[Subject]) -> list[dict[str, Any]]:
    """List the groups of classes with each subject's mean AP over them, and the ids in them as far as they are known."""
    rows: dict[str, dict[str, Any]] = {}
    for place, subject in enumerate(subjects):
        for name, ids, mean in _groups(subject):
            row = rows.setdefault(name, {"name": name, "ids": [], "runs": [None] * len(subjects)})
            row["ids"] = row["ids"] or ids
            row["runs"][place] = mean
    return list(rows.values())


def _entries(subject: Subject) -> list[tuple[str, str, dict[str, Any]]]:
    evaluation = subject.evaluation
    if evaluation is not None:
        result = evaluation.result
        return [
            (
                str(one.action_id),
                evaluation.names[one.action_id],
                {
                    "ap": as_number(result.per_class[one.action_id]),
                    "truth": result.num_ground_truth[one.action_id],
                    "detections": result.num_detections[one.action_id],
                    "true": result.num_true_positives[one.action_id],
                    "curve": _curve(one),
                },
            )
            for one in evaluation.ranked
        ]
    metrics = subject.metrics
    names, truth, detections = (_mapping(metrics, key) for key in ("names", "num_ground_truth", "num_detections"))
    return [
        (
            str(key),
            str(names.get(key, key)),
            {
                "ap": as_number(value),
                "truth": _count(truth.get(key)),
                "detections": _count(detections.get(key)),
                "curve": None,
            },
        )
        for key, value in _mapping(metrics, "per_class").items()
    ]


def _groups(subject: Subject) -> list[tuple[str, list[str], float | None]]:
    evaluation = subject.evaluation
    if evaluation is not None:
        return [
            (name, [str(key) for key in ids], as_number(evaluation.result.mean_over(list(ids))))
            for name, ids in evaluation.groups.items()
        ]
    known = subject.sources.groups or {}
    return [
        (str(name), [str(key) for key in known.get(str(name), ())], as_number(value))
        for name, value in _mapping(subject.metrics, "groups").items()
    ]


def _count(value: object) -> int | None:
    number = as_number(value)
    return None if number is None else int(number)


def _mapping(metrics: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = metrics.get(key)
    return value if isinstance(value, dict) else {}


def _curve(one: RankedClass) -> dict[str, str] | None:
    """Pack recall and interpolated precision, whose area is the AP; None without ground truth or true positives."""
    if not len(one.truth_videos) or not one.is_true.any():
        return None
    precision, recall = one.curve()
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.unique(np.linspace(0, len(recall) - 1, min(_POINTS, len(recall))).round().astype(int))
    return {"recall": _shares(recall[places]), "precision": _shares(envelope[places])}


def _shares(values: np.ndarray) -> str:
    return base64.b64encode(np.round(values.clip(0, 1) * _ONE).astype("<u2").tobytes()).decode()
