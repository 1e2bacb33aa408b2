"""The data inside a report's page, as plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lfb_lightning.reporting.cards import Cards
from lfb_lightning.reporting.class_table import class_table, group_table
from lfb_lightning.reporting.comparison import Compared
from lfb_lightning.reporting.key_frames import APART_SECONDS
from lfb_lightning.reporting.subjects import Subject, as_number
from lfb_lightning.version import __version__


def contents(title: str, subjects: Sequence[Subject], compared: Sequence[Compared], cards: Cards) -> dict[str, Any]:
    """Gather what the page shows.

    Args:
        title: The page's title.
        subjects: Runs and results.
        compared: Every subject but the first beside the first.
        cards: Makes the lists of key frames.
    """
    frames = [cards.best_and_worst(subject) for subject in subjects]
    changes = [None, *(cards.changes(subjects[0], one) if beside.comparable else None
                       for one, beside in zip(subjects[1:], compared, strict=True))]  # fmt: skip
    return {
        "title": title,
        "version": __version__,
        "apart": APART_SECONDS,
        "runs": [_run(subject) for subject in subjects],
        "compared": [None, *map(_compared, compared)],
        "classes": class_table(subjects),
        "groups": group_table(subjects),
        "frames": frames,
        "changes": changes,
        "pictures": cards.pictures,
    }


def _run(subject: Subject) -> dict[str, Any]:
    log = None if subject.run is None else subject.run.log
    config = None if subject.run is None else subject.run.config
    return {
        "name": subject.name,
        "place": subject.place,
        "kind": subject.kind,
        "figure": subject.main_figure,
        "score": subject.score,
        "judged": subject.evaluation is not None,
        "facts": _facts(subject),
        "notes": subject.notes,
        "epochs": [] if log is None else log.epochs,
        "curves": []
        if log is None
        else [{"name": one.name, "steps": one.steps, "values": one.values} for one in log.curves],
        "config": None if config is None else [[key, value] for key, value in flattened(config)],
    }


def _facts(subject: Subject) -> list[list[Any]]:
    """List names and values for the summary, those that are known."""
    metrics, evaluation, facts = subject.metrics, subject.evaluation, []
    best = as_number(metrics.get(f"best_{subject.main_figure}"))
    if best is not None:
        facts.append([f"best {subject.main_figure}", best])
    if (epoch := _best_epoch(subject)) is not None:
        facts.append(["best epoch", epoch])
    if evaluation is not None:
        facts.append(["classes", sum(count > 0 for count in evaluation.result.num_ground_truth.values())])
        facts.append(["key frames", len(np.unique(evaluation.truth.frames))])
        facts.append(["labels", len(evaluation.truth)])
        facts.append(["detections", len(evaluation.found)])
    for name in ("epochs", "steps", "skipped_steps"):
        if (value := as_number(metrics.get(name))) is not None and (value or name != "skipped_steps"):
            facts.append([name.replace("_", " "), int(value)])
    checkpoint = metrics.get("best_checkpoint") or (subject.run and (subject.run.config or {}).get("ckpt_path"))
    if isinstance(checkpoint, str):
        facts.append(["checkpoint", checkpoint])
    if evaluation is not None:
        facts.append(["ground truth", str(subject.sources.truth)])
    return facts


def _best_epoch(subject: Subject) -> int | None:
    """Find the epoch whose validation had the highest main figure, counted from 1."""
    log = None if subject.run is None else subject.run.log
    curve = None if log is None else next((one for one in log.curves if one.name == f"val/{subject.main_figure}"), None)
    if log is None or curve is None:
        return None
    known = [(-value, step) for step, value in zip(curve.steps, curve.values, strict=True) if value is not None]
    best = min(known, default=(0.0, -1))[1]
    return next((epoch for step, epoch in log.epochs if step > best >= 0), None)


def _compared(one: Compared) -> dict[str, Any]:
    found = one.bootstrap
    interval = None if found is None else [as_number(found.low), as_number(found.high)]
    return {
        "comparable": one.comparable,
        "difference": as_number(one.difference),
        "interval": interval if interval and None not in interval else None,
        "better": None if found is None else as_number(found.second_is_better),
        "videos": one.videos,
        "reason": one.reason,
    }


def flattened(config: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """List the keys of a nested configuration with dots between their parts, and their values as text."""
    rows: list[tuple[str, str]] = []
    for key, value in config.items():
        if isinstance(value, dict) and value:
            rows += flattened(value, f"{prefix}{key}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            rows.append((f"{prefix}{key}", text))
    return rows
